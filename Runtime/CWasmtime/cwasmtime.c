/* The table behind cwasmtime.h: addresses from dlsym, and a jump for each function.
 *
 * Loaded with RTLD_LOCAL, so that nothing else binds to it, and never closed: an engine has signal
 * actions and threads of its own.
 */
#include "cwasmtime.h"

#include <dlfcn.h>

#define QUELL_FIELD(RESULT, NAME, PARAMETERS, ARGUMENTS) RESULT (*NAME) PARAMETERS;
static struct { QUELL_WASMTIME(QUELL_FIELD) } table;

#define QUELL_JUMP(RESULT, NAME, PARAMETERS, ARGUMENTS) \
    RESULT NAME PARAMETERS { return table.NAME ARGUMENTS; }
QUELL_WASMTIME(QUELL_JUMP)

const char *quell_wasmtime_open(const char *path) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) return dlerror();
#define QUELL_FIND(RESULT, NAME, PARAMETERS, ARGUMENTS) \
    *(void **)&table.NAME = dlsym(library, #NAME); \
    if (!table.NAME) return "the library lacks " #NAME;
    QUELL_WASMTIME(QUELL_FIND)
    return 0;
}
