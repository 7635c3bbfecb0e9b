// Boost.JSON's parser without its tree of values: the only file that sees it. Of a thousand services the tree was half
// of what `plimsollctl status` did.
#include "daemon/api/wire/reading.hpp"

#include <boost/json/basic_parser_impl.hpp>

namespace plimsoll::wire {
namespace {

namespace json = boost::json;

/// Takes what the parser finds, in the order of the text. The first thing that is wrong is kept, with its place; what
/// follows is parsed and not taken, so that a text that is no JSON is called that in any case.
class Filler {
 public:
  static constexpr std::size_t max_object_size = std::numeric_limits<std::size_t>::max();
  static constexpr std::size_t max_array_size = max_object_size;
  static constexpr std::size_t max_key_size = max_object_size;
  static constexpr std::size_t max_string_size = max_object_size;

  explicit Filler(Slot root) : root_(root) { open_.reserve(8); }
  [[nodiscard]] const std::string& wrong() const { return wrong_; }
  [[nodiscard]] bool is_object() const { return is_object_; }

  bool on_document_begin(json::error_code&) { return true; }
  bool on_document_end(json::error_code&) { return true; }
  bool on_object_begin(json::error_code&) { return begin(false); }
  bool on_array_begin(json::error_code&) { return begin(true); }
  bool on_array_end(std::size_t, json::error_code&) { return end(); }
  bool on_object_end(std::size_t, json::error_code&) {
    if (wrong_.empty()) open_.back().slot.kind->close(open_.back(), rule_);
    return said() && end();
  }

  bool on_key_part(json::string_view part, std::size_t, json::error_code&) { return keep(part); }
  bool on_string_part(json::string_view part, std::size_t, json::error_code&) { return keep(part); }
  bool on_key(json::string_view last, std::size_t, json::error_code&) {
    const std::string_view key = whole(last);
    if (wrong_.empty()) open_.back().slot.kind->member(open_.back(), key, rule_);
    parts_.clear();
    return said();
  }
  bool on_string(json::string_view last, std::size_t, json::error_code&) {
    put(whole(last));
    parts_.clear();
    return true;
  }

  bool on_number_part(json::string_view, json::error_code&) { return true; }
  bool on_int64(std::int64_t value, json::string_view, json::error_code&) { return put(value); }
  bool on_uint64(std::uint64_t value, json::string_view, json::error_code&) { return put(value); }
  bool on_double(double value, json::string_view, json::error_code&) { return put(value); }
  bool on_bool(bool value, json::error_code&) { return put(value); }
  bool on_null(json::error_code&) { return put(nullptr); }
  bool on_comment_part(json::string_view, json::error_code&) { return true; }
  bool on_comment(json::string_view, json::error_code&) { return true; }

 private:
  Slot next() {
    if (open_.empty()) return root_;
    Frame& frame = open_.back();
    if (!frame.is_array) return frame.member;
    ++frame.next;
    return frame.slot.kind->add(frame.slot.at);
  }

  template <class V>
  bool put(V value) {
    if (!wrong_.empty()) return true;
    const Slot slot = next();
    slot.kind->put(slot.at, value, rule_);
    return said();
  }

  bool begin(bool is_array) {
    if (!wrong_.empty()) return true;
    if (open_.empty()) is_object_ = !is_array;
    const Slot slot = next();
    const Slot inside = is_array ? slot.kind->array(slot.at) : slot.kind->object(slot.at);
    if (!inside.kind) {
      rule_ = slot.kind->must();
      return said();
    }
    Frame& frame = open_.emplace_back();
    frame.slot = inside;
    frame.is_array = is_array;
    return true;
  }

  bool end() {
    if (wrong_.empty()) open_.pop_back();
    return true;
  }

  /// A text comes in parts where it has escapes, or the pieces of the body meet.
  bool keep(json::string_view part) {
    parts_.append(part.data(), part.size());
    return true;
  }
  std::string_view whole(json::string_view last) {
    if (parts_.empty()) return {last.data(), last.size()};
    keep(last);
    return parts_;
  }

  /// Gives the rule that was broken, if one was, its place.
  bool said() {
    if (!rule_.empty() && wrong_.empty()) wrong_ = place() + ": " + rule_;
    return true;
  }
  [[nodiscard]] std::string place() const {
    std::string path;
    for (const Frame& frame : open_) {
      if (frame.is_array) path += "[" + std::to_string(frame.next - 1) + "]";
      if (!frame.is_array && !path.empty() && !frame.key.empty()) path += ".";
      path += frame.key;
    }
    return path.empty() ? "the body" : path;
  }

  Slot root_;
  std::vector<Frame> open_;
  std::string parts_;
  std::string rule_;
  std::string wrong_;
  bool is_object_ = false;
};

}  // namespace

struct TextReader::Parser {
  explicit Parser(Slot root) : json(json::parse_options{}, root) {}
  json::basic_parser<Filler> json;
  json::error_code error;
};

TextReader::TextReader(Slot root) : parser_(std::make_unique<Parser>(root)) {}

TextReader::~TextReader() = default;

void TextReader::add(std::string_view piece) {
  json::error_code& error = parser_->error;
  if (error || piece.empty()) return;
  const std::size_t read = parser_->json.write_some(true, piece.data(), piece.size(), error);
  if (!error && read < piece.size()) error = json::error::extra_data;
}

std::string TextReader::finish(const SchemaNumber& schema_number, bool needs_schema) {
  if (!parser_->error) parser_->json.write_some(false, nullptr, 0, parser_->error);
  if (parser_->error == json::error::incomplete) return "the body is not JSON: it ends in the middle";
  if (parser_->error) return "the body is not JSON: " + parser_->error.message();
  const Filler& filler = parser_->json.handler();
  if (!filler.is_object()) return "the body must be a JSON object";
  if (schema_number.there && schema_number.value != schema)
    return "schema: must be " + std::to_string(schema) + ", the only one known here";
  if (!filler.wrong().empty()) return filler.wrong();
  if (!schema_number.there && needs_schema) return "schema: is missing";
  return {};
}

}  // namespace plimsoll::wire
