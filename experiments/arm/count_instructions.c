// A plugin of qemu-user that counts the instructions a program executes, exactly and the same on every run:
//
//   gcc -O2 -shared -fPIC count_instructions.c -o count_instructions.so
//   qemu-aarch64 -cpu cortex-a53 -plugin ./count_instructions.so -d plugin -D count.txt PROGRAM
//
// count.txt then holds the number. Debian's qemu-user loads plugins but brings no header for them, so what is used of
// qemu's interface (version 1, docs/devel/tcg-plugins.rst there) is declared here.
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>

typedef uint64_t PluginId;
struct qemu_plugin_tb;  // A translated block of instructions.

void qemu_plugin_register_vcpu_tb_trans_cb(PluginId id,
                                           void (*translated)(PluginId, struct qemu_plugin_tb*));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb* block);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb* block, int operation,
                                              void* counter, uint64_t amount);
void qemu_plugin_register_atexit_cb(PluginId id, void (*at_exit)(PluginId, void*), void* data);
void qemu_plugin_outs(const char* text);

int qemu_plugin_version = 1;

static uint64_t count;

static void AddWhenExecuted(PluginId id, struct qemu_plugin_tb* block) {
  enum { kAdd = 0 };
  (void)id;
  qemu_plugin_register_vcpu_tb_exec_inline(block, kAdd, &count, qemu_plugin_tb_n_insns(block));
}

static void Print(PluginId id, void* data) {
  char text[32];
  (void)id;
  (void)data;
  snprintf(text, sizeof(text), "%" PRIu64 "\n", count);
  qemu_plugin_outs(text);
}

int qemu_plugin_install(PluginId id, const void* info, int argc, char** argv) {
  (void)info;
  (void)argc;
  (void)argv;
  qemu_plugin_register_vcpu_tb_trans_cb(id, AddWhenExecuted);
  qemu_plugin_register_atexit_cb(id, Print, NULL);
  return 0;
}
