#include "daemon/sys/program_pages.hpp"

#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>

namespace plimsoll::sys {
namespace {

/// The first object is the program itself. Segments that can be written hold relocated addresses: those would be lost.
int give_back_segments(dl_phdr_info* program, std::size_t, void*) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  for (int i = 0; i < program->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = program->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
    const std::uintptr_t begin = (program->dlpi_addr + segment.p_vaddr) / page * page;
    const std::uintptr_t end = program->dlpi_addr + segment.p_vaddr + segment.p_memsz;
    // Refused where the pages are locked (memory that is to stay): then they stay.
    ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);  // NOLINT(performance-no-int-to-ptr)
  }
  return 1;
}

}  // namespace

void give_back_program_pages() {
  ::dl_iterate_phdr(give_back_segments, nullptr);
}

}  // namespace plimsoll::sys
