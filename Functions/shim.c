/* What a guest needs beneath Embedded Swift: a window, an arena and four functions of memory.
 *
 * One 64 KiB page holds all of it: stack (8 KiB, first, so that overflow traps), constants, the
 * window and the arena up to the page's end. The arena only grows during a call and is reset before
 * the next one; free does nothing. That is sound because handlers keep nothing between calls: they
 * have no stored globals that own memory (Words.swift says why its strings are computed).
 * The sizes are those of Sources/FunctionKit/Limits.swift.
 */
typedef unsigned char byte;
typedef unsigned long size;

#define IN_BYTES 17408
#define OUT_BYTES 16384

extern byte __heap_base;

static byte window_in[IN_BYTES] __attribute__((aligned(16)));
static byte window_out[OUT_BYTES] __attribute__((aligned(16)));
static byte *arena_next;

static struct {
    unsigned in, in_capacity, out, out_capacity, arena_low, arena_high, arena_used, zero;
} place;

__attribute__((export_name("quell_io"))) int quell_io(void) {
    place.in = (unsigned)(size)window_in;
    place.in_capacity = IN_BYTES;
    place.out = (unsigned)(size)window_out;
    place.out_capacity = OUT_BYTES;
    place.arena_low = (unsigned)(size)&__heap_base;
    place.arena_high = (unsigned)(__builtin_wasm_memory_size(0) << 16);
    /* The arena only grows during a call: its end now is the call's peak. */
    place.arena_used = (unsigned)(size)arena_next;
    return (int)(size)&place;
}

byte *quell_window(void) { return window_in; }
byte *quell_window_out(void) { return window_out; }
void quell_arena_reset(void) { arena_next = &__heap_base; }

/* A full arena traps: the host sees it, discards the instance and falls back. */
static void *take(size alignment, size count) {
    byte *start = arena_next ? arena_next : &__heap_base;
    size at = ((size)start + alignment - 1) & ~(alignment - 1);
    size end = __builtin_wasm_memory_size(0) << 16;
    if (at > end || count > end - at) __builtin_trap();
    arena_next = (byte *)(at + count);
    return (void *)at;
}

void *malloc(size count) { return take(16, count); }
void free(void *pointer) { (void)pointer; }

int posix_memalign(void **out, size alignment, size count) {
    *out = take(alignment < 16 ? 16 : alignment, count);
    return 0;
}

void *memcpy(void *to, const void *from, size count) {
    byte *t = to;
    const byte *f = from;
    while (count--) *t++ = *f++;
    return to;
}

void *memmove(void *to, const void *from, size count) {
    byte *t = to;
    const byte *f = from;
    if (t < f) return memcpy(to, from, count);
    while (count--) t[count] = f[count];
    return to;
}

void *memset(void *to, int value, size count) {
    byte *t = to;
    while (count--) *t++ = (byte)value;
    return to;
}

int memcmp(const void *a, const void *b, size count) {
    const byte *x = a, *y = b;
    for (; count; count--, x++, y++) if (*x != *y) return *x - *y;
    return 0;
}

/* Hash seeds: nothing may be hashed in a guest, answers must not depend on chance. */
void arc4random_buf(void *to, size count) {
    (void)to;
    (void)count;
    __builtin_trap();
}
