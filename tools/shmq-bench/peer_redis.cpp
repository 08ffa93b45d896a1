// Redis streams with a consumer group, as far as a cycle needs them: XADD, XREADGROUP, then XACK and XDEL of each entry.
#include <charconv>
#include <initializer_list>

#include "payload.hpp"
#include "peer_socket.hpp"
#include "peers.hpp"

namespace shmq::bench {

namespace {

class Redis : public PeerClient {
 public:
  explicit Redis(PeerSocket socket) : socket_(std::move(socket)) {
    command({"XGROUP", "CREATE", "tasks", "workers", "$", "MKSTREAM"});
    flush();
    const std::string_view answer = socket_.line();
    if (answer != "+OK") fail(answer);
  }

  void cycle(std::uint64_t first, unsigned count) override {
    std::uint64_t written = 0, read = 0;
    for (unsigned i = 0; i < count; ++i) {
      char payload[kPeerPayload] = {};
      written += write_payload(reinterpret_cast<std::byte*>(payload), sizeof payload, first + i);
      command({"XADD", "tasks", "*", "p", std::string_view(payload, sizeof payload)});
    }
    flush();
    for (unsigned i = 0; i < count; ++i) (void)text();
    command({"XREADGROUP", "GROUP", "workers", "one", "COUNT", std::to_string(count), "STREAMS", "tasks", ">"});
    flush();
    array(1);
    array(2);
    (void)text();
    array(count);
    for (unsigned i = 0; i < count; ++i) {
      array(2);
      const std::string id(text());
      array(2);
      (void)text();
      read += read_payload(reinterpret_cast<const std::byte*>(text(kPeerPayload).data()), kPeerPayload);
      command({"XACK", "tasks", "workers", id});
      command({"XDEL", "tasks", id});
    }
    flush();
    for (unsigned i = 0; i < 2 * count; ++i)
      if (const std::string_view answer = socket_.line(); answer != ":1") fail(answer);
    if (written != read) throw cli::Failure{cli::kFailed, "Redis gave other tasks than were put in"};
  }

 private:
  void command(std::initializer_list<std::string_view> words) {
    out_.append("*").append(std::to_string(words.size())) += "\r\n";
    for (const std::string_view word : words)
      out_.append("$").append(std::to_string(word.size())).append("\r\n").append(word) += "\r\n";
  }
  void flush() {
    socket_.write(out_);
    out_.clear();
  }
  [[noreturn]] static void fail(std::string_view answer) {
    throw cli::Failure{cli::kFailed, "Redis answered \"" + base::printable(answer) + "\", which is not what was asked for"};
  }
  std::size_t number(char kind) {
    const std::string_view answer = socket_.line();
    std::size_t value = 0;
    if (answer.empty() || answer[0] != kind ||
        std::from_chars(answer.data() + 1, answer.data() + answer.size(), value).ec != std::errc{})
      fail(answer);
    return value;
  }
  void array(std::size_t size) {
    if (const std::size_t is = number('*'); is != size) fail("*" + std::to_string(is));
  }
  /// Valid until the next read.
  std::string_view text(std::size_t size = 0) {
    const std::size_t is = number('$');
    if (size != 0 && is != size) fail("$" + std::to_string(is));
    return socket_.bytes(is);
  }

  PeerSocket socket_;
  std::string out_;
};

}  // namespace

std::unique_ptr<PeerClient> connect_redis(std::uint16_t port) {
  auto socket = PeerSocket::open(port);
  if (!socket) throw cli::Failure{cli::kFailed, "Redis does not listen any more"};
  return std::make_unique<Redis>(std::move(*socket));
}

}  // namespace shmq::bench
