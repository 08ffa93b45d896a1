// nng over its ipc transport, push to pull: every consumer listens, every producer dials all of them.
#pragma once

#include <nng/nng.h>
#include <nng/protocol/pipeline0/pull.h>
#include <nng/protocol/pipeline0/push.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "peers/channel.hpp"

namespace bench {

template <std::size_t Bytes>
class Nng {
 public:
  static constexpr Place place = Place::processes;
  explicit Nng(const ChannelSpec& spec) : spec_(spec), name_(unique_name("nng")) {}

 private:
  static void check(int error, const char* what) {
    if (error != 0) throw std::runtime_error(std::string(what) + ": " + ::nng_strerror(error));
  }
  // In the abstract namespace: nothing is left behind in the file system.
  std::string address(unsigned consumer) const { return "abstract://" + name_ + "." + std::to_string(consumer); }

  /// Made by the worker: nng's threads do not survive a fork.
  struct End {
    nng_socket socket{};
    explicit End(int (*open)(nng_socket*)) {
      check(open(&socket), "nng open");  // starts nng's threads, on this worker's CPU
    }
    End(const End&) = delete;
    End& operator=(const End&) = delete;
    ~End() { ::nng_close(socket); }
    template <class Write>
    void send(Write&& write) {
      nng_msg* message = nullptr;
      check(::nng_msg_alloc(&message, Bytes), "nng_msg_alloc");
      write(::nng_msg_body(message));
      if (const int error = ::nng_sendmsg(socket, message, 0); error != 0) {
        ::nng_msg_free(message);
        check(error, "nng_sendmsg");
      }
    }
  };

 public:
  class Sender {
   public:
    Sender(Nng& channel, unsigned) : channel_(channel), end_(&::nng_push0_open) {
      const int depth = static_cast<int>(kDepth<Bytes>);
      (void)::nng_socket_set_int(end_.socket, NNG_OPT_SENDBUF, depth);
      for (unsigned i = 0; i < channel.spec_.consumers; ++i)
        check(::nng_dial(end_.socket, channel.address(i).c_str(), nullptr, 0), "nng_dial");
    }
    template <class Write>
    void send(Write&& write) {
      end_.send(write);
    }
    void finish(unsigned consumers) {
      if (consumers == 1) {
        end_.send([](void* room) { write_payload<Bytes>(room, kEnd); });
        return;
      }
      // Among several the socket chooses by itself: a socket for each then.
      for (unsigned i = 0; i < consumers; ++i) {
        last_.push_back(std::make_unique<End>(&::nng_push0_open));
        check(::nng_dial(last_.back()->socket, channel_.address(i).c_str(), nullptr, 0), "nng_dial");
        last_.back()->send([](void* room) { write_payload<Bytes>(room, kEnd); });
      }
    }

   private:
    Nng& channel_;
    End end_;
    std::vector<std::unique_ptr<End>> last_;
  };

  class Receiver {
   public:
    Receiver(Nng& channel, unsigned index) : end_(&::nng_pull0_open) {
      (void)::nng_socket_set_int(end_.socket, NNG_OPT_RECVBUF, static_cast<int>(kDepth<Bytes>));
      check(::nng_listen(end_.socket, channel.address(index).c_str(), nullptr, 0), "nng_listen");
    }
    template <class Read>
    std::uint64_t receive(Read&& read) {
      nng_msg* message = nullptr;
      check(::nng_recvmsg(end_.socket, &message, 0), "nng_recvmsg");
      read(::nng_msg_body(message));
      ::nng_msg_free(message);
      return 1;
    }

   private:
    End end_;
  };

 private:
  ChannelSpec spec_;
  std::string name_;
};

}  // namespace bench
