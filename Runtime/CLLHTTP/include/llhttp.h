/* The one door to Debian's llhttp 8.1 (package node-llhttp), always in strict mode: the flag
 * changes the parser's state numbers, so header and sources must agree (DESIGN 11). */
#ifndef QUELL_LLHTTP_H
#define QUELL_LLHTTP_H
#define LLHTTP_STRICT_MODE 1
#include "/usr/share/include/llhttp/llhttp.h"
#endif
