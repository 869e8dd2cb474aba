/* libcrypto's SHA-256 alone, for the per-check HMAC (131 ns against 593 ns through the package). */
#define OPENSSL_SUPPRESS_DEPRECATED 1
#include <openssl/sha.h>
