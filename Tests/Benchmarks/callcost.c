/* The same module driven from C: what a call costs when nothing stands between it and the engine.
 *
 *     callcost LIBRARY MODULE KIND REQUEST fresh|warm MILLISECONDS     prints nanoseconds a call
 *
 * The engine is set up as Runtime/FunctionHost/Engine.swift does it for the profile `wide`; a fresh
 * call makes a store, limits it, instantiates, looks up memory and entry, and deletes the store.
 * Ends with 1 when any call traps or answers with an error.
 */
#include "cwasmtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void fail(const char *why) {
    fprintf(stderr, "callcost: %s\n", why);
    exit(1);
}

static uint8_t *read_file(const char *path, size_t *count) {
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = malloc(1 << 20);
    if (!file || !bytes) fail(path);
    *count = fread(bytes, 1, 1 << 20, file);
    fclose(file);
    return bytes;
}

static wasm_engine_t *make_engine(void) {
    wasm_config_t *config = wasm_config_new();
    wasmtime_config_epoch_interruption_set(config, true);
    wasmtime_config_max_wasm_stack_set(config, 262144);
    wasmtime_config_cranelift_nan_canonicalization_set(config, true);
    wasmtime_config_memory_reservation_set(config, 4294967296u);
    wasmtime_config_memory_guard_size_set(config, 33554432);
    wasmtime_config_wasm_component_model_set(config, false);
    wasmtime_config_wasm_threads_set(config, false);
    wasmtime_config_shared_memory_set(config, false);
    wasmtime_config_wasm_tail_call_set(config, false);
    wasmtime_config_wasm_gc_set(config, false);
    wasmtime_config_wasm_function_references_set(config, false);
    wasmtime_config_wasm_exceptions_set(config, false);
    wasmtime_config_wasm_stack_switching_set(config, false);
    wasmtime_config_wasm_relaxed_simd_set(config, false);
    wasmtime_config_wasm_simd_set(config, false);
    wasmtime_config_wasm_multi_memory_set(config, false);
    wasmtime_config_wasm_memory64_set(config, false);
    wasmtime_config_wasm_wide_arithmetic_set(config, false);
    wasmtime_config_wasm_custom_page_sizes_set(config, false);
    wasmtime_config_gc_support_set(config, false);
    wasmtime_config_concurrency_support_set(config, false);
    wasmtime_pooling_allocation_config_t *pool = wasmtime_pooling_allocation_config_new();
    wasmtime_pooling_allocation_config_total_core_instances_set(pool, 24);
    wasmtime_pooling_allocation_config_total_memories_set(pool, 24);
    wasmtime_pooling_allocation_config_total_tables_set(pool, 24);
    wasmtime_pooling_allocation_config_max_memory_size_set(pool, 16 * 65536);
    wasmtime_pooling_allocation_config_linear_memory_keep_resident_set(pool, 131072);
    wasmtime_pooling_allocation_config_table_elements_set(pool, 1024);
    wasmtime_pooling_allocation_config_table_keep_resident_set(pool, 8 * 1024);
    wasmtime_pooling_allocation_strategy_set(config, pool);
    wasmtime_pooling_allocation_config_delete(pool);
    return wasm_engine_new_with_config(config);
}

static wasm_engine_t *engine;
static wasmtime_instance_pre_t *pre;
static uint32_t in, out;
static uint8_t *request, response[16384];
static size_t request_count;

typedef struct {
    wasmtime_store_t *store;
    wasmtime_context_t *context;
    wasmtime_instance_t instance;
    wasmtime_func_t entry;
    uint8_t *base;
} guest_t;

static wasmtime_func_t function(guest_t *guest, const char *name) {
    wasmtime_extern_t found;
    if (!wasmtime_instance_export_get(
            guest->context, &guest->instance, name, strlen(name), &found)) fail(name);
    return found.of.func;
}

static void begin(guest_t *guest) {
    wasm_trap_t *trap = NULL;
    wasmtime_extern_t memory;
    guest->store = wasmtime_store_new(engine, NULL, NULL);
    guest->context = wasmtime_store_context(guest->store);
    wasmtime_store_limiter(guest->store, 65536, 1024, 1, 1, 1);
    if (wasmtime_instance_pre_instantiate(pre, guest->context, &guest->instance, &trap) || trap)
        fail("no instance");
    if (!wasmtime_instance_export_get(guest->context, &guest->instance, "memory", 6, &memory))
        fail("no memory");
    guest->base = wasmtime_memory_data(guest->context, &memory.of.memory);
    if (wasmtime_memory_data_size(guest->context, &memory.of.memory) != 65536) fail("memory");
    guest->entry = function(guest, "quell_handle");
}

static int32_t enter(guest_t *guest, wasmtime_func_t *entry, int64_t kind) {
    wasmtime_val_raw_t values[2] = {{.i64 = kind}, {.i64 = (int64_t)request_count}};
    wasm_trap_t *trap = NULL;
    wasmtime_context_set_epoch_deadline(guest->context, 6);
    if (wasmtime_func_call_unchecked(guest->context, entry, values, 2, &trap) || trap)
        fail("a call trapped");
    return values[0].i32;
}

static void call(guest_t *guest, int64_t kind) {
    memcpy(guest->base + in, request, request_count);
    int32_t count = enter(guest, &guest->entry, kind);
    if (count <= 0 || count > (int32_t)sizeof response) fail("a bad answer");
    memcpy(response, guest->base + out, (size_t)count);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

int main(int count, char **words) {
    if (count != 7) fail("called with the wrong words");
    const char *problem = quell_wasmtime_open(words[1]);
    if (problem) fail(problem);
    engine = make_engine();
    size_t wasm_count;
    uint8_t *wasm = read_file(words[2], &wasm_count);
    request = read_file(words[4], &request_count);
    wasmtime_module_t *module = NULL;
    if (wasmtime_module_new(engine, wasm, wasm_count, &module)) fail("no module");
    wasmtime_linker_t *linker = wasmtime_linker_new(engine);
    if (wasmtime_linker_instantiate_pre(linker, module, &pre)) fail("imports");
    int64_t kind = atoi(words[3]);
    int fresh = !strcmp(words[5], "fresh");
    guest_t guest;
    begin(&guest);
    wasmtime_func_t io = function(&guest, "quell_io");
    uint32_t place[4];
    memcpy(place, guest.base + enter(&guest, &io, 0), sizeof place);
    in = place[0];
    out = place[2];
    for (int i = 0; i < 1000; i++) call(&guest, kind);
    double start = now(), length = atof(words[6]) * 1e6, spent;
    uint64_t calls = 0;
    do {
        for (int i = 0; i < 256; i++, calls++) {
            if (!fresh) {
                call(&guest, kind);
                continue;
            }
            guest_t other;
            begin(&other);
            call(&other, kind);
            wasmtime_store_delete(other.store);
        }
    } while ((spent = now() - start) < length);
    printf("%.2f\n", spent / (double)calls);
    return 0;
}
