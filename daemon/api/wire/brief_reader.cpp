#include "daemon/api/wire/brief_reader.hpp"

#include "daemon/api/wire/reading.hpp"

namespace plimsoll::wire {
namespace {

Members listed() {
  const Service service;
  Members members(&service);
  brief_fields(members, service);
  return members;
}

/// A service that is handed over when it is whole; the next one is read into its place.
class PassedOn final : public ObjectKind {
 public:
  explicit PassedOn(std::function<void(const Service&)> take) : ObjectKind(listed()), take_(std::move(take)) {}
  Slot object(void* at) const override {
    *static_cast<Service*>(at) = {};
    return ObjectKind::object(at);
  }
  void close(Frame& frame, std::string& wrong) const override {
    ObjectKind::close(frame, wrong);
    if (wrong.empty()) take_(*static_cast<const Service*>(frame.slot.at));
  }

 private:
  std::function<void(const Service&)> take_;
};

/// An array whose elements all have the same place.
class OneByOne final : public Kind {
 public:
  explicit OneByOne(const Kind& element) : Kind("must be an array"), element_(element) {}
  Slot array(void* at) const override { return {this, at}; }
  [[nodiscard]] Slot add(void* at) const override { return {&element_, at}; }

 private:
  const Kind& element_;
};

}  // namespace

struct BriefReader::Body {
  explicit Body(std::function<void(const Service&)> take)
      : element(std::move(take)), services(element), kind(members()), text({&kind, this}) {}

  Members members() const {
    Members members(this);
    members.also("schema", schema);
    members.need("daemon", daemon);
    members.need("services", service, services);
    return members;
  }

  SchemaNumber schema;
  Daemon daemon;
  Service service;
  PassedOn element;
  OneByOne services;
  ObjectKind kind;
  TextReader text;
};

BriefReader::BriefReader(std::function<void(const Service&)> take) : body_(std::make_unique<Body>(std::move(take))) {}

BriefReader::~BriefReader() = default;

void BriefReader::add(std::string_view piece) {
  body_->text.add(piece);
}

Parsed<Daemon> BriefReader::finish() {
  std::string wrong = body_->text.finish(body_->schema, true);
  if (!wrong.empty()) return Parsed<Daemon>(std::in_place_index<1>, std::move(wrong));
  return Parsed<Daemon>(std::in_place_index<0>, std::move(body_->daemon));
}

}  // namespace plimsoll::wire
