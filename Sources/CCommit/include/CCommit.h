/* Which commit this build is of: told by whoever built it, as the compiler cannot ask git. */

#ifndef QUELL_CCOMMIT_H
#define QUELL_CCOMMIT_H

/* Lives as long as the process. */
const char *quell_commit(void);

#endif
