// ZeroMQ over its ipc transport, PUSH to PULL: every consumer listens, every producer connects to all of them.
#pragma once

#include <zmq.h>

#include <array>
#include <cstdint>
#include <memory>

#include "peers/channel.hpp"

namespace bench {

template <std::size_t Bytes>
class ZeroMq {
 public:
  static constexpr Place place = Place::processes;
  explicit ZeroMq(const ChannelSpec& spec) : spec_(spec), name_(unique_name("zmq")) {}

 private:
  // In the abstract namespace: nothing is left behind in the file system.
  std::string address(unsigned consumer) const { return "ipc://@" + name_ + "." + std::to_string(consumer); }

  /// A context, which has a thread of its own, and one socket. Made by the worker: neither survives a fork.
  struct End {
    void* context = nullptr;
    void* socket = nullptr;
    // The context's thread runs where its worker is pinned: on free CPUs it was slower in every row.
    explicit End(int type) : context(::zmq_ctx_new()), socket(::zmq_socket(context, type)) {
      if (socket == nullptr) throw std::runtime_error(std::string("zmq_socket: ") + ::zmq_strerror(::zmq_errno()));
      const int depth = static_cast<int>(kDepth<Bytes>);
      ::zmq_setsockopt(socket, ZMQ_SNDHWM, &depth, sizeof(depth));
      ::zmq_setsockopt(socket, ZMQ_RCVHWM, &depth, sizeof(depth));
    }
    End(const End&) = delete;
    End& operator=(const End&) = delete;
    ~End() {
      const int none = 0;
      ::zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof(none));
      ::zmq_close(socket);
      ::zmq_ctx_term(context);
    }
    void check(int result, const char* what) const {
      if (result < 0) throw std::runtime_error(std::string(what) + ": " + ::zmq_strerror(::zmq_errno()));
    }
    template <class Write>
    void send(Write&& write) {
      zmq_msg_t message;
      check(::zmq_msg_init_size(&message, Bytes), "zmq_msg_init_size");
      write(::zmq_msg_data(&message));
      check(::zmq_msg_send(&message, socket, 0), "zmq_msg_send");
    }
  };

 public:
  class Sender {
   public:
    Sender(ZeroMq& channel, unsigned) : channel_(channel), end_(ZMQ_PUSH) {
      for (unsigned i = 0; i < channel.spec_.consumers; ++i)
        end_.check(::zmq_connect(end_.socket, channel.address(i).c_str()), "zmq_connect");
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
        last_.push_back(std::make_unique<End>(ZMQ_PUSH));
        last_.back()->check(::zmq_connect(last_.back()->socket, channel_.address(i).c_str()), "zmq_connect");
        last_.back()->send([](void* room) { write_payload<Bytes>(room, kEnd); });
      }
    }

   private:
    ZeroMq& channel_;
    End end_;
    std::vector<std::unique_ptr<End>> last_;
  };

  class Receiver {
   public:
    Receiver(ZeroMq& channel, unsigned index) : end_(ZMQ_PULL) {
      end_.check(::zmq_bind(end_.socket, channel.address(index).c_str()), "zmq_bind");
      ::zmq_msg_init(&message_);
    }
    ~Receiver() { ::zmq_msg_close(&message_); }
    template <class Read>
    std::uint64_t receive(Read&& read) {
      end_.check(::zmq_msg_recv(&message_, end_.socket, 0), "zmq_msg_recv");
      read(::zmq_msg_data(&message_));
      return 1;
    }

   private:
    End end_;
    zmq_msg_t message_;
  };

 private:
  ChannelSpec spec_;
  std::string name_;
};

}  // namespace bench
