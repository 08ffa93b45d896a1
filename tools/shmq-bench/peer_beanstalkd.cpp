// beanstalkd's protocol, as far as a cycle needs it: put, reserve, delete.
#include <charconv>
#include <vector>

#include "payload.hpp"
#include "peer_socket.hpp"
#include "peers.hpp"

namespace shmq::bench {

namespace {

class Beanstalkd : public PeerClient {
 public:
  explicit Beanstalkd(PeerSocket socket) : socket_(std::move(socket)) {}

  void cycle(std::uint64_t first, unsigned count) override {
    std::uint64_t written = 0, read = 0;
    out_.clear();
    for (unsigned i = 0; i < count; ++i) {
      out_ += "put 0 0 60 64\r\n";
      char payload[kPeerPayload] = {};
      written += write_payload(reinterpret_cast<std::byte*>(payload), sizeof payload, first + i);
      out_.append(payload, sizeof payload) += "\r\n";
    }
    socket_.write(out_);
    for (unsigned i = 0; i < count; ++i) expect(socket_.line(), "INSERTED ");
    out_.clear();
    for (unsigned i = 0; i < count; ++i) out_ += "reserve\r\n";
    socket_.write(out_);
    out_.clear();
    for (unsigned i = 0; i < count; ++i) {
      const std::string_view answer = socket_.line();
      expect(answer, "RESERVED ");
      const std::string_view rest = answer.substr(9);
      const std::size_t space = rest.find(' ');
      if (rest.substr(space + 1) != "64") expect(answer, "RESERVED ID 64");
      out_.append("delete ").append(rest.substr(0, space)) += "\r\n";
      read += read_payload(reinterpret_cast<const std::byte*>(socket_.bytes(kPeerPayload).data()), kPeerPayload);
    }
    socket_.write(out_);
    for (unsigned i = 0; i < count; ++i) expect(socket_.line(), "DELETED");
    if (written != read) throw cli::Failure{cli::kFailed, "beanstalkd gave other tasks than were put in"};
  }

 private:
  static void expect(std::string_view answer, std::string_view begins) {
    if (!answer.starts_with(begins))
      throw cli::Failure{cli::kFailed, "beanstalkd answered \"" + base::printable(answer) + "\", not \"" + std::string(begins) + "\""};
  }
  PeerSocket socket_;
  std::string out_;
};

}  // namespace

std::unique_ptr<PeerClient> connect_beanstalkd(std::uint16_t port) {
  auto socket = PeerSocket::open(port);
  if (!socket) throw cli::Failure{cli::kFailed, "beanstalkd does not listen any more"};
  return std::make_unique<Beanstalkd>(std::move(*socket));
}

}  // namespace shmq::bench
