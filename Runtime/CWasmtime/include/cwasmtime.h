/* The part of wasmtime's C interface that Quell uses, written by hand for the release 50.0.1.
 *
 * The wheel on PyPI brings the library and no header. Each line of QUELL_WASMTIME is one function:
 * what it returns, its name, its parameters, and their names once more for the call. The list makes
 * the declarations below, the table of addresses in cwasmtime.c and, in a test, the comparison with
 * the bindings inside the wheel, which are generated from the matching headers
 * (Tests/Conformance/test_wasmtime.py). Nothing of it is linked: quell_wasmtime_open loads the
 * library, and until it has succeeded none of these may be called.
 *
 * Who owns what: wasm_engine_new_with_config takes the config; an error or a trap that is handed
 * out is ours to delete; a byte vector that is filled is ours to delete; wasm_functype_new takes
 * both vectors and wasm_valtype_vec_new the types in it.
 */
#ifndef QUELL_CWASMTIME_H
#define QUELL_CWASMTIME_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct wasm_config_t wasm_config_t;
typedef struct wasm_engine_t wasm_engine_t;
typedef struct wasm_valtype_t wasm_valtype_t;
typedef struct wasm_functype_t wasm_functype_t;
typedef struct wasm_trap_t wasm_trap_t;
typedef struct wasmtime_error_t wasmtime_error_t;
typedef struct wasmtime_module_t wasmtime_module_t;
typedef struct wasmtime_linker_t wasmtime_linker_t;
typedef struct wasmtime_instance_pre_t wasmtime_instance_pre_t;
typedef struct wasmtime_store_t wasmtime_store_t;
typedef struct wasmtime_context_t wasmtime_context_t;
typedef struct wasmtime_caller_t wasmtime_caller_t;
typedef struct wasmtime_pooling_allocation_config_t wasmtime_pooling_allocation_config_t;

typedef uint8_t wasm_byte_t;
typedef uint8_t wasm_valkind_t;
typedef uint8_t wasmtime_trap_code_t;
typedef uint8_t wasmtime_extern_kind_t;

typedef struct wasm_byte_vec_t { size_t size; wasm_byte_t *data; } wasm_byte_vec_t;
typedef struct wasm_byte_vec_t wasm_name_t;
typedef struct wasm_valtype_vec_t { size_t size; wasm_valtype_t **data; } wasm_valtype_vec_t;

typedef struct wasmtime_func_t { uint64_t store_id; void *private_1; } wasmtime_func_t;
typedef struct wasmtime_instance_t { uint64_t store_id; size_t private_1; } wasmtime_instance_t;
typedef struct wasmtime_memory_t {
    struct { uint64_t store_id; uint32_t private_1; } inner;
    uint32_t private_2;
} wasmtime_memory_t;
typedef struct wasmtime_extern_t {
    wasmtime_extern_kind_t kind;
    union { wasmtime_func_t func; wasmtime_memory_t memory; } of;
} wasmtime_extern_t;
typedef union wasmtime_val_raw_t { int32_t i32; int64_t i64; uint8_t v128[16]; } wasmtime_val_raw_t;

static_assert(sizeof(wasm_byte_vec_t) == 16, "size and pointer");
static_assert(sizeof(wasmtime_func_t) == 16, "as in the bindings");
static_assert(sizeof(wasmtime_instance_t) == 16, "as in the bindings");
static_assert(sizeof(wasmtime_memory_t) == 24, "as in the bindings");
static_assert(sizeof(wasmtime_extern_t) == 32, "as in the bindings");
static_assert(offsetof(wasmtime_extern_t, of) == 8, "as in the bindings");
static_assert(sizeof(wasmtime_val_raw_t) == 16, "as in the bindings");

/* wasmtime_extern_t.kind, wasm_valkind_t and the traps that we tell apart. */
enum { QUELL_EXTERN_FUNC = 0, QUELL_EXTERN_MEMORY = 3 };
enum { QUELL_KIND_I32 = 0 };
enum { QUELL_TRAP_STACK = 0, QUELL_TRAP_BOUNDS = 1, QUELL_TRAP_UNREACHABLE = 9,
       QUELL_TRAP_INTERRUPT = 10 };

/* A function that a module imports: parameters in, results out of the same places. */
typedef wasm_trap_t *(*wasmtime_func_unchecked_callback_t)(
    void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *values, size_t count);
typedef void (*quell_finalizer_t)(void *env);
/* Asked when a deadline has passed: an error ends the call; else it goes on for so many ticks. */
typedef wasmtime_error_t *(*quell_deadline_callback_t)(
    wasmtime_context_t *context, void *env, uint64_t *ticks, uint8_t *kind);

#define QUELL_WASMTIME_FLAG(F, NAME) \
    F(void, NAME, (wasm_config_t *config, bool value), (config, value))
#define QUELL_WASMTIME_POOL(F, NAME, TYPE) \
    F(void, NAME, (wasmtime_pooling_allocation_config_t *pool, TYPE value), (pool, value))

#define QUELL_WASMTIME(F) \
    F(wasm_config_t *, wasm_config_new, (void), ()) \
    F(wasm_engine_t *, wasm_engine_new_with_config, (wasm_config_t *config), (config)) \
    F(void, wasm_engine_delete, (wasm_engine_t *engine), (engine)) \
    F(void, wasmtime_engine_increment_epoch, (wasm_engine_t *engine), (engine)) \
    QUELL_WASMTIME_FLAG(F, wasmtime_config_epoch_interruption_set) \
    QUELL_WASMTIME_FLAG(F, wasmtime_config_gc_support_set) \
    QUELL_WASMTIME_FLAG(F, wasmtime_config_concurrency_support_set) \
    QUELL_WASMTIME_FLAG(F, wasmtime_config_wasm_component_model_set) \
    QUELL_WASMTIME_FLAG(F, wasmtime_config_wasm_threads_set) \
    QUELL_WASMTIME_FLAG(F, wasmtime_config_shared_memory_set) \
    QUELL_WASMTIME_FLAG(F, wasmtime_config_wasm_tail_call_set) \
    QUELL_WASMTIME_FLAG(F, wasmtime_config_wasm_function_references_set) \
    QUELL_WASMTIME_FLAG(F, wasmtime_config_wasm_gc_set) \
    QUELL_WASMTIME_FLAG(F, wasmtime_config_wasm_simd_set) \
    QUELL_WASMTIME_FLAG(F, wasmtime_config_wasm_relaxed_simd_set) \
    QUELL_WASMTIME_FLAG(F, wasmtime_config_wasm_multi_memory_set) \
    QUELL_WASMTIME_FLAG(F, wasmtime_config_wasm_memory64_set) \
    QUELL_WASMTIME_FLAG(F, wasmtime_config_wasm_exceptions_set) \
    QUELL_WASMTIME_FLAG(F, wasmtime_config_wasm_stack_switching_set) \
    QUELL_WASMTIME_FLAG(F, wasmtime_config_wasm_wide_arithmetic_set) \
    QUELL_WASMTIME_FLAG(F, wasmtime_config_wasm_custom_page_sizes_set) \
    QUELL_WASMTIME_FLAG(F, wasmtime_config_parallel_compilation_set) \
    QUELL_WASMTIME_FLAG(F, wasmtime_config_cranelift_nan_canonicalization_set) \
    F(void, wasmtime_config_max_wasm_stack_set, (wasm_config_t *config, size_t value), \
      (config, value)) \
    F(void, wasmtime_config_memory_reservation_set, (wasm_config_t *config, uint64_t value), \
      (config, value)) \
    F(void, wasmtime_config_memory_guard_size_set, (wasm_config_t *config, uint64_t value), \
      (config, value)) \
    F(wasmtime_pooling_allocation_config_t *, wasmtime_pooling_allocation_config_new, (void), ()) \
    F(void, wasmtime_pooling_allocation_config_delete, \
      (wasmtime_pooling_allocation_config_t *pool), (pool)) \
    QUELL_WASMTIME_POOL(F, wasmtime_pooling_allocation_config_total_core_instances_set, uint32_t) \
    QUELL_WASMTIME_POOL(F, wasmtime_pooling_allocation_config_total_memories_set, uint32_t) \
    QUELL_WASMTIME_POOL(F, wasmtime_pooling_allocation_config_total_tables_set, uint32_t) \
    QUELL_WASMTIME_POOL(F, wasmtime_pooling_allocation_config_max_memory_size_set, size_t) \
    QUELL_WASMTIME_POOL(F, wasmtime_pooling_allocation_config_linear_memory_keep_resident_set, \
                        size_t) \
    QUELL_WASMTIME_POOL(F, wasmtime_pooling_allocation_config_table_keep_resident_set, size_t) \
    QUELL_WASMTIME_POOL(F, wasmtime_pooling_allocation_config_table_elements_set, size_t) \
    F(void, wasmtime_pooling_allocation_strategy_set, \
      (wasm_config_t *config, const wasmtime_pooling_allocation_config_t *pool), (config, pool)) \
    F(wasmtime_error_t *, wasmtime_wat2wasm, \
      (const char *text, size_t count, wasm_byte_vec_t *out), (text, count, out)) \
    F(wasmtime_error_t *, wasmtime_module_new, \
      (wasm_engine_t *engine, const uint8_t *wasm, size_t count, wasmtime_module_t **out), \
      (engine, wasm, count, out)) \
    F(void, wasmtime_module_delete, (wasmtime_module_t *module), (module)) \
    F(wasmtime_error_t *, wasmtime_module_serialize, \
      (wasmtime_module_t *module, wasm_byte_vec_t *out), (module, out)) \
    F(wasmtime_error_t *, wasmtime_module_deserialize, \
      (wasm_engine_t *engine, const uint8_t *code, size_t count, wasmtime_module_t **out), \
      (engine, code, count, out)) \
    F(void, wasm_byte_vec_delete, (wasm_byte_vec_t *bytes), (bytes)) \
    F(wasm_valtype_t *, wasm_valtype_new, (wasm_valkind_t kind), (kind)) \
    F(void, wasm_valtype_vec_new, \
      (wasm_valtype_vec_t *out, size_t count, wasm_valtype_t *const *types), (out, count, types)) \
    F(wasm_functype_t *, wasm_functype_new, \
      (wasm_valtype_vec_t *parameters, wasm_valtype_vec_t *results), (parameters, results)) \
    F(void, wasm_functype_delete, (wasm_functype_t *type), (type)) \
    F(wasmtime_linker_t *, wasmtime_linker_new, (wasm_engine_t *engine), (engine)) \
    F(void, wasmtime_linker_delete, (wasmtime_linker_t *linker), (linker)) \
    F(wasmtime_error_t *, wasmtime_linker_define_func_unchecked, \
      (wasmtime_linker_t *linker, const char *module, size_t module_count, const char *name, \
       size_t name_count, const wasm_functype_t *type, \
       wasmtime_func_unchecked_callback_t callback, void *env, quell_finalizer_t finalizer), \
      (linker, module, module_count, name, name_count, type, callback, env, finalizer)) \
    F(wasmtime_error_t *, wasmtime_linker_instantiate_pre, \
      (const wasmtime_linker_t *linker, const wasmtime_module_t *module, \
       wasmtime_instance_pre_t **out), (linker, module, out)) \
    F(wasmtime_error_t *, wasmtime_instance_pre_instantiate, \
      (const wasmtime_instance_pre_t *pre, wasmtime_context_t *context, \
       wasmtime_instance_t *out, wasm_trap_t **trap), (pre, context, out, trap)) \
    F(void, wasmtime_instance_pre_delete, (wasmtime_instance_pre_t *pre), (pre)) \
    F(bool, wasmtime_instance_export_get, \
      (wasmtime_context_t *context, const wasmtime_instance_t *instance, const char *name, \
       size_t count, wasmtime_extern_t *out), (context, instance, name, count, out)) \
    F(wasmtime_store_t *, wasmtime_store_new, \
      (wasm_engine_t *engine, void *env, quell_finalizer_t finalizer), (engine, env, finalizer)) \
    F(void, wasmtime_store_delete, (wasmtime_store_t *store), (store)) \
    F(wasmtime_context_t *, wasmtime_store_context, (wasmtime_store_t *store), (store)) \
    F(void, wasmtime_store_limiter, \
      (wasmtime_store_t *store, int64_t memory_bytes, int64_t table_elements, int64_t instances, \
       int64_t tables, int64_t memories), \
      (store, memory_bytes, table_elements, instances, tables, memories)) \
    F(void, wasmtime_store_epoch_deadline_callback, \
      (wasmtime_store_t *store, quell_deadline_callback_t callback, void *env, \
       quell_finalizer_t finalizer), (store, callback, env, finalizer)) \
    F(void, wasmtime_context_set_epoch_deadline, (wasmtime_context_t *context, uint64_t ticks), \
      (context, ticks)) \
    F(wasmtime_error_t *, wasmtime_func_call_unchecked, \
      (wasmtime_context_t *context, const wasmtime_func_t *func, wasmtime_val_raw_t *values, \
       size_t count, wasm_trap_t **trap), (context, func, values, count, trap)) \
    F(uint8_t *, wasmtime_memory_data, \
      (wasmtime_context_t *context, const wasmtime_memory_t *memory), (context, memory)) \
    F(size_t, wasmtime_memory_data_size, \
      (wasmtime_context_t *context, const wasmtime_memory_t *memory), (context, memory)) \
    F(void, wasmtime_error_message, (const wasmtime_error_t *error, wasm_name_t *out), \
      (error, out)) \
    F(wasmtime_error_t *, wasmtime_error_new, (const char *text), (text)) \
    F(void, wasmtime_error_delete, (wasmtime_error_t *error), (error)) \
    F(bool, wasmtime_trap_code, (const wasm_trap_t *trap, wasmtime_trap_code_t *out), \
      (trap, out)) \
    F(void, wasm_trap_delete, (wasm_trap_t *trap), (trap)) \
    F(wasm_trap_t *, wasmtime_trap_new_code, (wasmtime_trap_code_t code), (code))

#ifdef __cplusplus
extern "C" {
#endif

/* Hidden: the library must not find our functions of the same names before its own. */
#pragma GCC visibility push(hidden)
#define QUELL_DECLARE(RESULT, NAME, PARAMETERS, ARGUMENTS) RESULT NAME PARAMETERS;
QUELL_WASMTIME(QUELL_DECLARE)
#undef QUELL_DECLARE
#pragma GCC visibility pop

/* Loads the library and finds all of the above; once a process, before any of it is called.
 * NULL when all is well, else a text that names what is wrong. */
const char *quell_wasmtime_open(const char *path);

#ifdef __cplusplus
}
#endif

#endif
