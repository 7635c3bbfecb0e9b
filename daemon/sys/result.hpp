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
inline error_code error_of(int number) {
  return {number, boost::system::system_category()};
}

}  // namespace plimsoll::sys
