/* libuv 1.44.2 (Debian libuv1-dev); EventLoop is the only importer. */
/* eventfd(2) for the bell of a mailbox, as Glibc's module leaves it out. */
#include <sys/eventfd.h>
#include <uv.h>
