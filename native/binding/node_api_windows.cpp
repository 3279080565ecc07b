// Node-API on Windows, where a library names the file that has its functions: node.exe, node.dll or a program of any
// name that has Node inside. So they are looked up in the program that runs, once, as this library is loaded.
#if defined(_WIN32)
#include <windows.h>

#include <cstdio>
#include <cstdlib>

#include <node_api_names.h>  // made by CMake of the list of functions: IPA_NODE_API(X), X of each name

// A function is one jump to where it was found.
#define IPA_JUMP(name)           \
  extern "C" {                   \
  void* ipa_found_##name;        \
  }                              \
  asm(".globl " #name "\n" #name \
      ":\n"                      \
      "  jmpq *ipa_found_" #name "(%rip)\n");
IPA_NODE_API(IPA_JUMP)
#undef IPA_JUMP

namespace {

// What the program has not (it is older) ends it where it is called, and never before.
[[noreturn]] void missing() {
  std::fputs("node-ip-adapter: this program lacks a function of Node-API 8\n", stderr);
  std::abort();
}

const bool looked_up = [] {
  const HMODULE library = GetModuleHandleA("node.dll");
  const HMODULE program = GetModuleHandleA(nullptr);
  const auto find = [&](const char* name) {
    FARPROC found = library ? GetProcAddress(library, name) : nullptr;
    if (!found) found = GetProcAddress(program, name);
    return found ? reinterpret_cast<void*>(found) : reinterpret_cast<void*>(&missing);
  };
#define IPA_FIND(name) ipa_found_##name = find(#name);
  IPA_NODE_API(IPA_FIND)
#undef IPA_FIND
  return true;
}();

}  // namespace
#endif
