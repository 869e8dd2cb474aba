/* libuv 1.44.2 (Debian libuv1-dev); EventLoop is the only importer. */
#include <uv.h>
