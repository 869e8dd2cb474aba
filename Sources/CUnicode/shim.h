/* libidn2 (UTS 46) and libunistring (NFC, folding); Address is the only importer. */
#include <idn2.h>
#include <stdlib.h>
#include <unicase.h>
#include <uninorm.h>
#include <unistr.h>
