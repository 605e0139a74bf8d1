#include "agent/base/memory.hpp"

#include <link.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <string_view>

namespace outpost {
namespace {

/// Whether the dynamic linker has written to segments that are not writable.
bool is_relocated_in_place(const dl_phdr_info& object) {
  for (int index = 0; index < object.dlpi_phnum; ++index) {
    const auto& segment = object.dlpi_phdr[index];
    if (segment.p_type != PT_DYNAMIC) continue;
    for (const auto* entry = reinterpret_cast<const ElfW(Dyn)*>(object.dlpi_addr + segment.p_vaddr); entry->d_tag != DT_NULL; ++entry)
      if (entry->d_tag == DT_TEXTREL || (entry->d_tag == DT_FLAGS && (entry->d_un.d_val & DF_TEXTREL))) return true;
  }
  return false;
}

/// Lets go of the pages of one program or library that nobody can have written to: what the dynamic linker relocates is
/// in writable segments, and losing that would be losing it.
int release_pages(dl_phdr_info* object, std::size_t, void* page_size) {
  const std::string_view name{object->dlpi_name};
  const bool is_program = name.empty();
  if (!is_program && name.find('/') == name.npos) return 0;  // The kernel's own, without a file.
  if (is_relocated_in_place(*object)) return 0;
  const auto page = *static_cast<const std::uintptr_t*>(page_size);
  for (int index = 0; index < object->dlpi_phnum; ++index) {
    const auto& segment = object->dlpi_phdr[index];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W)) continue;
    const std::uintptr_t begin = object->dlpi_addr + segment.p_vaddr, end = begin + segment.p_filesz;
    const std::uintptr_t first = begin / page * page;
    ::madvise(reinterpret_cast<void*>(first), end - first, MADV_DONTNEED);  // NOLINT: that is what addresses are here.
  }
  return 0;
}

}  // namespace

void give_back_memory() {
#ifdef __GLIBC__
  ::malloc_trim(0);
#endif
  auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  ::dl_iterate_phdr(release_pages, &page);
}

}  // namespace outpost
