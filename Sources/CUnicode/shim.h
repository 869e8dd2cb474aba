/* libidn2 (UTS 46) and libunistring (NFC, folding); Address is the only importer.
 *
 * The functions below exist because Swift cannot name a macro that takes an address (UNINORM_NFC),
 * and because libunistring folds whole strings only: c1 wants the simple fold, one code point to
 * one.
 */
#include <idn2.h>
#include <stdlib.h>
#include <unicase.h>
#include <uninorm.h>
#include <unistr.h>
#include <unictype.h>

/* NFC in memory of malloc, or NULL; the caller frees. */
static inline uint8_t *quell_nfc(const uint8_t *text, size_t count, size_t *length) {
    return u8_normalize(UNINORM_NFC, text, count, NULL, length);
}

/* CaseFolding.txt, classes C and S. U+0130 has neither: its lower case is two code points. */
static inline ucs4_t quell_simple_fold(ucs4_t point) {
    uint8_t one[6], folded[64];
    size_t length = sizeof folded;
    ucs4_t result = point;
    int count = u8_uctomb(one, point, sizeof one);
    if (count <= 0 || point == 0x130) return point;
    uint8_t *text = u8_casefold(one, (size_t)count, NULL, NULL, folded, &length);
    if (text == NULL) return point;
    int width = u8_mbtouc(&result, text, length);
    if (text != folded) free(text);
    return (size_t)width == length ? result : uc_tolower(point);
}

/* 1 for what has no stable or no visible identity: unassigned, private, controls, spaces, and
 * invisible format characters other than the two joiners that real scripts need. */
static inline int quell_is_unstable(ucs4_t point) {
    if (point == 0x200C || point == 0x200D) return 0;
    return uc_is_general_category(point, UC_CATEGORY_Cn)
        || uc_is_general_category(point, UC_CATEGORY_Co)
        || uc_is_general_category(point, UC_CATEGORY_Cc)
        || uc_is_general_category(point, UC_CATEGORY_Cf)
        || uc_is_general_category(point, UC_CATEGORY_Cs)
        || uc_is_general_category(point, UC_CATEGORY_Z);
}
