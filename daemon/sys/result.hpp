// What a call of the system gives back: its value, or its errno as an error_code of the system category.
#pragma once

#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>
#include <cerrno>

namespace plimsoll::sys {

template <class T>
using Result = boost::system::result<T>;
using boost::system::error_code;

inline error_code last_error() {
  return {errno, boost::system::system_category()};
}
/// We are out of something that we may have again in a moment; it says nothing about what was asked.
inline bool is_shortage(const error_code& error) {
  const int number = error.value();
  return number == EMFILE || number == ENFILE || number == ENOMEM || number == ENOBUFS;
}
inline error_code error_of(int number) {
  return {number, boost::system::system_category()};
}

}  // namespace plimsoll::sys
