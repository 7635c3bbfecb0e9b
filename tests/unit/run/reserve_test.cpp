#include "daemon/run/reserve.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>

namespace plimsoll::run {
namespace {

struct Pages {
  long size = 0;
  long resident = 0;
};

Pages our_pages() {
  Pages pages;
  std::ifstream("/proc/self/statm") >> pages.size >> pages.resident;
  return pages;
}

long pages_in(std::size_t bytes) {
  return static_cast<long>(bytes) / ::sysconf(_SC_PAGESIZE);
}

/// What the C library keeps of it, it gives out again: pages that are in use.
void use_the_heap(std::size_t bytes) {
  for (int i = 0; i < 2; ++i) {
    void* block = std::malloc(bytes);
    ASSERT_NE(block, nullptr);
    std::memset(block, 1, bytes);
    std::free(block);
  }
}

TEST(Reserve, IsAddressesOfItsOwnAndNoMemory) {
  constexpr std::size_t size = std::size_t{4} << 20;
  use_the_heap(size);
  const Pages before = our_pages();
  const Reserve reserve(size);
  const Pages with_it = our_pages();
  EXPECT_GE(with_it.size - before.size, pages_in(size));
  EXPECT_LT(with_it.resident - before.resident, pages_in(size) / 2);
}

TEST(Reserve, IsGivenBackAtAShortageAndPutAsideAgain) {
  constexpr std::size_t size = std::size_t{4} << 20;
  Reserve reserve(size);
  const long with_it = our_pages().size;
  Reserve::on_shortage();
  EXPECT_LE(our_pages().size, with_it - pages_in(size));
  EXPECT_TRUE(reserve.refill());
  EXPECT_GE(our_pages().size, with_it);
}

}  // namespace
}  // namespace plimsoll::run
