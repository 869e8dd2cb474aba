/* LMDB 0.9.24 (Debian liblmdb-dev), and the three calls of Linux that the Glibc module leaves out.
   Storage is the only importer. */
#include <lmdb.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/vfs.h>
