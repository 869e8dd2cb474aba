/* LMDB 0.9.24 (Debian liblmdb-dev); Storage is the only importer. */
#include <lmdb.h>
