/* Compiles the package's own source; nothing of it is copied into this tree. */
#include "llhttp.h"
#include "/usr/share/llhttp/http.c"
