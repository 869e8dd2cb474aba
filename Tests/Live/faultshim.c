/* Makes the n-th write or flush of chosen files fail, in a real process that knows nothing of it.
 *
 * Loaded with LD_PRELOAD into `quell serve`. The promise under test: a 200 never leaves for an
 * opt-out that is absent after a restart, whichever write or flush fails. Calls are matched by the
 * path behind the descriptor (/proc/self/fd), looked up on every call, because LMDB opens a second,
 * O_DSYNC descriptor for its meta page and closes and reuses numbers as it likes.
 *
 *   FAULTSHIM_PATH     ending of the paths that count, e.g. "log.mdb" or ".mdb"
 *   FAULTSHIM_N        which matched call fails, from 1
 *   FAULTSHIM_ERRNO    EIO (default) or ENOSPC
 *   FAULTSHIM_STICKY   "1": that call and every later one fails
 *   FAULTSHIM_TRIGGER  calls count while this file exists (default: always)
 *   FAULTSHIM_LOG      one line is appended here for each call that was failed
 *
 * msync has an address and no descriptor: it counts when any mapping is flushed at all.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long matched;

static void record(long number, const char *call, const char *path) {
    const char *log = getenv("FAULTSHIM_LOG");
    char line[512];
    int length, fd;
    if (!log) return;
    length = snprintf(line, sizeof line, "%ld %s %s\n", number, call, path);
    if (length > (int)sizeof line) length = sizeof line;
    fd = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return;
    syscall(SYS_write, fd, line, (size_t)length);
    syscall(SYS_close, fd);
}

/* True when the path behind a descriptor ends as asked; the path is left in `path`. */
static int counts(int fd, char *path, size_t size) {
    const char *ending = getenv("FAULTSHIM_PATH");
    char link[64];
    ssize_t length;
    size_t wanted;
    if (!ending || !*ending) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    length = syscall(SYS_readlink, link, path, size - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    wanted = strlen(ending);
    return (size_t)length >= wanted && strcmp(path + length - wanted, ending) == 0;
}

static int is_armed(void) {
    const char *trigger = getenv("FAULTSHIM_TRIGGER");
    return !trigger || !*trigger || syscall(SYS_access, trigger, F_OK) == 0;
}

/* The errno to fail this call with, or 0 to let it through. */
static int fault(int fd, const char *call) {
    char path[1024] = "(mapping)";
    const char *n = getenv("FAULTSHIM_N"), *sticky = getenv("FAULTSHIM_STICKY");
    const char *name = getenv("FAULTSHIM_ERRNO");
    int saved = errno;
    long wanted = n ? atol(n) : 0, number;
    if (wanted <= 0 || (fd >= 0 && !counts(fd, path, sizeof path)) || !is_armed()) {
        errno = saved;
        return 0;
    }
    number = atomic_fetch_add(&matched, 1) + 1;
    errno = saved;
    if (number != wanted && !(number > wanted && sticky && *sticky == '1')) return 0;
    record(number, call, path);
    errno = saved;
    return name && strcmp(name, "ENOSPC") == 0 ? ENOSPC : EIO;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define WRAP(kind, name, parameters, arguments, fd)                                             \
    kind name parameters {                                                                      \
        static __typeof__(&name) real;                                                          \
        int code = fault(fd, #name);                                                            \
        if (!real) real = REAL(name);                                                           \
        if (code) {                                                                             \
            errno = code;                                                                       \
            return -1;                                                                          \
        }                                                                                       \
        return real arguments;                                                                  \
    }

WRAP(ssize_t, write, (int fd, const void *bytes, size_t count), (fd, bytes, count), fd)
WRAP(ssize_t, writev, (int fd, const struct iovec *parts, int count), (fd, parts, count), fd)
WRAP(ssize_t, pwrite, (int fd, const void *bytes, size_t count, off_t at),
     (fd, bytes, count, at), fd)
WRAP(ssize_t, pwrite64, (int fd, const void *bytes, size_t count, off64_t at),
     (fd, bytes, count, at), fd)
WRAP(ssize_t, pwritev, (int fd, const struct iovec *parts, int count, off_t at),
     (fd, parts, count, at), fd)
WRAP(ssize_t, pwritev64, (int fd, const struct iovec *parts, int count, off64_t at),
     (fd, parts, count, at), fd)
WRAP(ssize_t, pwritev2, (int fd, const struct iovec *parts, int count, off_t at, int flags),
     (fd, parts, count, at, flags), fd)
WRAP(ssize_t, pwritev64v2, (int fd, const struct iovec *parts, int count, off64_t at, int flags),
     (fd, parts, count, at, flags), fd)
WRAP(int, fdatasync, (int fd), (fd), fd)
WRAP(int, fsync, (int fd), (fd), fd)
WRAP(int, ftruncate, (int fd, off_t size), (fd, size), fd)
WRAP(int, ftruncate64, (int fd, off64_t size), (fd, size), fd)
WRAP(int, msync, (void *start, size_t length, int flags), (start, length, flags), -1)
