#include "party.hpp"

#include "scenario.hpp"

#include <poll.h>

#include <algorithm>
#include <cstring>
#include <sstream>

namespace killtest {

namespace {
std::byte pattern(std::uint64_t value, std::size_t i) { return static_cast<std::byte>((value * 31 + i) & 0xff); }
}  // namespace

void write_payload(std::span<std::byte> data, std::uint64_t value) {
  std::memcpy(data.data(), &value, sizeof value);
  for (std::size_t i = sizeof value; i < data.size(); ++i) data[i] = pattern(value, i);
}

std::uint64_t read_payload(std::span<const std::byte> data) {
  std::uint64_t value = 0;
  require(data.size() == inline_bytes || data.size() == block_bytes,
          "a message of " + std::to_string(data.size()) + " bytes was received, nobody sent one");
  std::memcpy(&value, data.data(), sizeof value);
  for (std::size_t i = sizeof value; i < data.size(); ++i)
    require(data[i] == pattern(value, i), "message " + std::to_string(value) + " is torn at byte " + std::to_string(i));
  return value;
}

namespace {

void need(shmq::Outcome outcome, const std::string& what) {
  require(outcome == shmq::Outcome::ok, what + ": " + to_string(outcome));
}

}  // namespace

shmq::QueueOptions queue_options() { return {.capacity = 4, .slot_bytes = 64}; }
shmq::QueueOptions spsc_options() { return {.kind = shmq::QueueKind::spsc, .ring_bytes = 1024}; }

Party::Party(const std::string& segment, shmq::Result<shmq::Segment> opened) : name_(segment) {
  segment_ = expect(std::move(opened));
}

TaskHand& Party::tasks() {
  if (!tasks_) tasks_.emplace(*segment_);
  return *tasks_;
}

Party::End& Party::end(const std::string& name) {
  if (const auto known = ends_.find(name); known != ends_.end()) return known->second;
  End made{expect(segment_->open_queue(name)), {}, {}};
  if (made.queue.kind() == shmq::QueueKind::mpmc) {
    made.producer = made.queue.producer();
    made.consumer = made.queue.consumer();
  }
  return ends_.emplace(name, std::move(made)).first->second;
}

shmq::Producer<>& Party::to(const std::string& name) {
  End& of = end(name);
  if (!of.producer) of.producer = of.queue.producer();
  return *of.producer;
}

shmq::Consumer<>& Party::from(const std::string& name) {
  End& of = end(name);
  if (!of.consumer) of.consumer = of.queue.consumer();
  return *of.consumer;
}

void Party::fill(shmq::Claim<>& claim, std::uint64_t value) {
  write_payload(claim.data(), value);
  claim.set_type(static_cast<std::uint32_t>(value));
}

void Party::fill(shmq::ClaimBatch& batch, std::size_t i, std::uint64_t value) {
  write_payload(batch[i], value);
  batch.set(i, inline_bytes, static_cast<std::uint32_t>(value));
}

shmq::Claim<> Party::claim(const std::string& queue, std::uint64_t value, std::size_t bytes) {
  shmq::Claim<> room = until_not_busy([&] { return to(queue).claim(bytes, party_patience); });
  need(room.outcome(), "claiming room in " + queue);
  fill(room, value);
  return room;
}

shmq::Message Party::receive(const std::string& queue) {
  shmq::Message message = until_not_busy([&] { return from(queue).receive(party_patience); });
  need(message.outcome(), "receiving from " + queue);
  (void)receipt(message);
  return message;
}

std::string Party::receipt(const shmq::Message& message) {
  const std::uint64_t value = read_payload(message.data());
  require(message.type() == static_cast<std::uint32_t>(value), "message " + std::to_string(value) + " has type " +
                                                                   std::to_string(message.type()));
  std::ostringstream out;
  out << value << '/' << message.redelivered() << '/' << message.id() << ' ';
  return out.str();
}

/// A claim that drops nothing: only once all that was sent is taken. Such a queue never waits, so this does.
shmq::Claim<> Party::paced_claim(const std::string& name, std::size_t bytes) {
  const auto give_up = std::chrono::steady_clock::now() + party_patience;
  for (;;) {
    const bool late = std::chrono::steady_clock::now() > give_up;
    if (queue(name).depth() == 0 || queue(name).closed() || late) {
      shmq::Claim<> room = to(name).try_claim(bytes);
      if (late || (room.outcome() != shmq::Outcome::full && room.outcome() != shmq::Outcome::no_block)) return room;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

std::string Party::send(const std::string& queue, std::uint64_t first, std::uint64_t count, std::size_t bytes,
                        bool paced) {
  for (std::uint64_t i = 0; i < count; ++i) {
    shmq::Claim<> room = until_not_busy(
        [&] { return paced ? paced_claim(queue, bytes) : to(queue).claim(bytes, party_patience); });
    if (room.outcome() == shmq::Outcome::closed) return std::to_string(i);
    need(room.outcome(), "sending to " + queue);
    fill(room, first + i);
    room.publish();
  }
  return std::to_string(count);
}

std::string Party::receive_some(const std::string& queue, std::uint64_t count, bool keep) {
  std::string receipts;
  for (std::uint64_t i = 0; i < count; ++i) {
    shmq::Message message = receive(queue);
    receipts += receipt(message);
    if (keep)
      messages.push_back(std::move(message));
    else
      message.release();
  }
  return receipts;
}

std::string Party::handle(std::string_view request) {
  if (request.starts_with("t:")) return tasks().handle(request.substr(2));
  std::istringstream words{std::string(request)};
  std::string verb, queue;
  std::uint64_t first = 0, count = 1, bytes = inline_bytes;
  words >> verb >> queue;
  if (verb == "send" || verb == "pacedsend") {
    words >> first >> count >> bytes;
    return send(queue, first, std::max<std::uint64_t>(count, 1), bytes == 0 ? inline_bytes : bytes,
                verb == "pacedsend");
  }
  if (verb == "trysend" || verb == "claim") {
    words >> first;
    if (!(words >> bytes)) bytes = inline_bytes;
    shmq::Claim<> room = verb == "claim" ? claim(queue, first, bytes) : to(queue).try_claim(bytes);
    if (!room) return to_string(room.outcome());
    fill(room, first);
    if (verb == "claim")
      claims.push_back(std::move(room));
    else
      room.publish();
    return "ok";
  }
  if (verb == "drain" || verb == "select") {
    std::optional<shmq::Consumer<>> second;
    shmq::Selector both;
    both.add(from(queue));
    if (this->queue(queue).kind() == shmq::QueueKind::mpmc) both.add(second.emplace(this->queue(queue).consumer()));
    std::string receipts;
    for (;;) {
      shmq::Message message = until_not_busy([&] {
        return verb == "drain" ? from(queue).receive(party_patience)
                               : std::move(both.receive(party_patience).message);
      });
      if (message.outcome() == shmq::Outcome::closed) return receipts;
      need(message.outcome(), "draining " + queue + ", so far " + receipts);
      receipts += receipt(message);
      message.release();
    }
  }
  if (verb == "poll") {
    pollfd watched{expect(from(queue).descriptor()), POLLIN, 0};
    std::string receipts;
    for (;;) {
      shmq::Message message = from(queue).try_receive();
      if (message.outcome() == shmq::Outcome::closed) return receipts;
      if (message) {
        receipts += receipt(message);
        message.release();
        continue;
      }
      if (from(queue).arm() != shmq::Outcome::empty) continue;
      const int patience_ms = static_cast<int>(std::chrono::milliseconds(party_patience).count());
      require(::poll(&watched, 1, patience_ms) == 1, "nothing came by the descriptor of " + queue + ", so far " + receipts);
    }
  }
  if (verb == "recv" || verb == "hold") {
    if (!(words >> count)) count = 1;
    return receive_some(queue, count, verb == "hold");
  }
  if (verb == "tryrecv") {
    std::string receipts;
    for (words >> count; count > 0; --count) {
      shmq::Message message = from(queue).try_receive();
      if (!message) break;
      receipts += receipt(message);
      message.release();
    }
    return receipts;
  }
  if (verb == "until") {  // waits for the end of a queue that is being removed
    const shmq::Message message = from(queue).receive(party_patience);
    return to_string(message.outcome());
  }
  if (verb == "untilroom") return to_string(to(queue).claim(inline_bytes, party_patience).outcome());
  if (verb == "look") {
    std::string receipts;
    for (const shmq::Message& message : messages) receipts += receipt(message);
    return receipts;
  }
  if (verb == "browse") {
    std::string shown;
    shmq::Browser browser = this->queue(queue).browse();
    while (const auto message = browser.next()) {
      const std::uint64_t value = read_payload(message->payload);
      require(message->type == static_cast<std::uint32_t>(value),
              "browse() shows message " + std::to_string(message->type) + " with the payload of " + std::to_string(value));
      shown += std::to_string(value) + " ";
    }
    return shown;
  }
  if (verb == "release" || verb == "requeue") {
    for (shmq::Message& message : messages) verb == "release" ? message.release() : message.requeue();
    messages.clear();
    return "ok";
  }
  if (verb == "publish" || verb == "abort") {
    for (shmq::Claim<>& room : claims) verb == "publish" ? room.publish() : room.abort();
    claims.clear();
    return "ok";
  }
  if (verb == "reap") return std::to_string(segment_->reap().total());
  if (verb == "close") return this->queue(queue).close(), "ok";
  if (verb == "open") return end(queue), "ok";
  if (verb == "shut") return ends_.erase(queue), "ok";
  if (verb == "closed") return this->queue(queue).closed() ? "yes" : "no";
  if (verb == "generation") return std::to_string(this->queue(queue).generation());
  if (verb == "letgo") {
    end(queue).producer.reset();
    end(queue).consumer.reset();
    return "ok";
  }
  if (verb == "producerof" || verb == "consumerof") {
    const auto said = [](const auto& opened) { return opened ? "ok" : opened.error().message(); };
    return verb == "producerof" ? said(this->queue(queue).open_producer()) : said(this->queue(queue).open_consumer());
  }
  if (verb == "declare" || verb == "declarespsc") {
    const shmq::Result<shmq::Queue<>> declared =
        segment_->queue(queue, verb == "declare" ? queue_options() : spsc_options());
    return declared ? "ok" : declared.error().message();
  }
  if (verb == "remove") {
    const shmq::Status removed = segment_->remove_queue(queue);
    return removed ? "ok" : to_string(removed.error().code());
  }
  throw Failure(FailureKind::setup, "unknown request: " + std::string(request));
}

void Party::detach() {
  claims.clear();
  claim_batches.clear();
  messages.clear();
  batches.clear();
  producers.clear();
  consumers.clear();
  ends_.clear();
  tasks_.reset();
  segment_.reset();
}

namespace {

class Corpse : public Party {
 public:
  Corpse(const std::string& segment, std::function<void(Party&)> act) : Party(segment), act_(std::move(act)) {}
  void operate() override { act_(*this); }

 private:
  std::function<void(Party&)> act_;
};

}  // namespace

bool Party::leave_corpse_at(std::size_t point, const std::function<void(Party&)>& before,
                            const std::function<void(Party&)>& act) const {
  const auto make = [&] {
    auto corpse = std::make_unique<Corpse>(name_, act);
    before(*corpse);
    return corpse;
  };
  Process corpse("corpse", make, Limits{});
  const bool there = kill_at_point(corpse, point);
  corpse.kill();
  return there;
}

void Party::leave_corpse(const std::function<void(Party&)>& deed) const {
  const auto make = [&] {
    auto corpse = std::make_unique<Party>(name_);
    deed(*corpse);
    return corpse;
  };
  Process("corpse", make, Limits{}).kill();
}

}  // namespace killtest
