#pragma once

#include <boost/system/result.hpp>

#include <string>
#include <string_view>
#include <utility>

namespace outpost {

/// Why something failed, in terms of what the caller can do about it.
enum class Fault {
  retry_later,  ///< Network, 5xx, 429, disk full: the same request may work later.
  refused,      ///< The server or the operator said no; repeating will not help.
  credentials,  ///< Who we say we are is not accepted, or our clock is off: nothing gets through until a person acts.
  malformed,    ///< A file or an answer that we cannot read.
  unavailable,  ///< A program, plugin or file that should be on this machine is missing.
  cancelled,    ///< We were asked to stop.
  bug,          ///< An invariant of this program is broken.
};

struct Error {
  Fault fault = Fault::bug;
  std::string message;  ///< One sentence for a person: where, what, and if possible what to do.

  /// Puts where we were in front: "job 42: step install: No such file or directory".
  [[nodiscard]] Error in(std::string_view where) && {
    message.insert(0, std::string{where} + ": ");
    return std::move(*this);
  }
};

template <class T>
using Result = boost::system::result<T, Error>;

/// `action path: reason of errno`. A full disk is retry_later, everything else unavailable.
[[nodiscard]] Error errno_error(std::string_view action, std::string_view object, int code);

/// Found by boost::system::result when value() is called on an error: always a bug in the caller.
[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location& where);

}  // namespace outpost
