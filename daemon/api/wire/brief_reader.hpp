// The answer to GET /v1/services?brief=1, read while it comes in: neither its text nor its services are ever there all
// at once. Of a thousand of them both would be memory that this process has not touched yet, which costs as much as
// reading.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "daemon/api/wire/json.hpp"

namespace plimsoll::wire {

class BriefReader {
 public:
  /// `take` gets each service in turn; none after the first thing that is wrong.
  explicit BriefReader(std::function<void(const Service&)> take);
  ~BriefReader();

  /// What comes next of the text, cut anywhere.
  void add(std::string_view piece);
  /// There is no more of it. What the services are beside, or a sentence that says where the text is wrong: then what
  /// was taken stands for nothing.
  [[nodiscard]] Parsed<Daemon> finish();

 private:
  struct Body;
  std::unique_ptr<Body> body_;
};

}  // namespace plimsoll::wire
