// The bodies of Asio and Beast, and of the little of Process v2 that a launcher of one's own uses, compiled once for
// all. Process v2's own src.hpp is not for us: it wants Boost.Filesystem, and with std::filesystem its environment part
// does not compile in 1.81.
#define BOOST_PROCESS_USE_STD_FS
#define BOOST_PROCESS_V2_SOURCE
#include <boost/asio/impl/src.hpp>
#include <boost/beast/src.hpp>
#include <boost/optional.hpp>
#include <boost/process/v2/detail/impl/last_error.ipp>
#include <boost/process/v2/detail/impl/throw_error.ipp>
#include <boost/process/v2/impl/error.ipp>
