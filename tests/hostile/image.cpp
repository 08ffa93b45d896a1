#include "image.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <functional>
#include <iostream>
#include <span>
#include <string_view>

#include "objects/queue_object.hpp"
#include "shmq/layout/segment_header.hpp"
#include "shmq/shmq.hpp"

namespace hostile {

namespace {

[[noreturn]] void give_up(const std::string& why) {
  std::cerr << "hostile: " << why << '\n';
  std::_Exit(70);
}

void need(shmq::Outcome outcome) {
  if (outcome != shmq::Outcome::ok) give_up(std::string("the sound segment: ") + shmq::to_string(outcome));
}

void send(shmq::Producer<void>& to, std::size_t bytes, char fill) {
  const std::string payload(bytes, fill);
  need(to.try_send(std::as_bytes(std::span(payload)), 7));
}

/// A queue whose positions wrap soon.
void declare_near_the_wrap(const std::string& segment, const std::string& queue, const shmq::QueueOptions& options,
                           std::uint64_t position) {
  auto attachment = shmq::core::Attachment::open(segment, {}).value();
  (void)shmq::objects::declare_queue(attachment, queue, shmq::objects::shape_of(options, 0).value(),
                                     position)
      .value();
}

struct Pipe {
  Pipe() {
    if (::pipe(ends) != 0) give_up("pipe");
  }
  void say() { (void)!::write(ends[1], "x", 1); }
  void hear() {
    char c = 0;
    if (::read(ends[0], &c, 1) != 1) give_up("the sound segment: a process of it ended");
  }
  int ends[2];
};

pid_t start(const std::function<void()>& work) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  try {
    work();
  } catch (const std::exception& error) {
    give_up(std::string("the sound segment: ") + error.what());
  }
  for (;;) ::pause();
}

void kill(pid_t child) {
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

/// The first process: makes everything, and holds some of it.
void first(const std::string& name, Pipe& ready, Pipe& go) {
  auto segment = shmq::Segment::create(name, {.size_bytes = 96u << 10,
                                              .blocks = {{{512, 8}, {4096, 3}}},
                                              .participants_max = 5,
                                              .objects_max = 9},
                                       {.name = "first"})
                     .value();
  declare_near_the_wrap(name, "a", {.capacity = 4}, (std::uint64_t{1} << 48) - 3);
  auto a = segment.open_queue("a").value();
  auto d = segment.queue("d", {.capacity = 2, .on_full = shmq::OnFull::drop_oldest}).value();
  auto b = segment.queue("b", {.capacity = 8, .slot_bytes = 128, .metadata = true, .delivery_limit = 2, .dead_letter = "d"})
               .value();
  auto c = segment.queue("c", {.capacity = 2, .on_full = shmq::OnFull::reject}).value();
  declare_near_the_wrap(name, "s", {.kind = shmq::QueueKind::spsc, .ring_bytes = 1024}, 1024 - 64);
  auto s = segment.open_queue("s").value();
  auto m = segment.queue("m", {.kind = shmq::QueueKind::spsc, .ring_bytes = 2048, .metadata = true}).value();
  auto typed = segment.queue<Payload16>("typed", {.capacity = 4}).value();
  auto gone = segment.queue("gone", {.capacity = 2}).value();
  auto to_a = a.producer();
  auto to_b = b.producer();
  auto to_c = c.producer();
  auto to_gone = gone.producer();
  auto from_a = a.consumer();
  for (int lap = 0; lap < 5; ++lap) {
    send(to_a, 20, 'a');
    from_a.try_receive().release();
  }
  send(to_a, 30, 'b');
  send(to_a, 400, 'c');
  send(to_b, 60, 'd');
  send(to_b, 450, 'e');
  send(to_b, 3000, 'f');
  send(to_b, 10, 'g');
  send(to_c, 5, 'h');
  c.close();
  auto to_d = d.producer();
  send(to_d, 300, 'j');
  send(to_d, 12, 'k');
  (void)typed.producer().try_send(Payload16{1, 2});
  send(to_gone, 300, 'i');
  if (!segment.remove_queue("gone")) give_up("the sound segment: gone stays");
  static auto to_s = s.producer();
  static auto to_m = m.producer();
  for (const std::size_t bytes : {20, 100, 0, 48, 200, 16}) send(to_s, bytes, 's');
  for (const std::size_t bytes : {20, 300, 5}) send(to_m, bytes, 'm');
  static shmq::Claim<void> in_s = to_s.try_claim(30);
  send(to_s, 10, 't');
  static shmq::Message held = from_a.try_receive();  // never given back: the process is killed
  static shmq::Claim<void> claimed = to_b.try_claim(20);
  ready.say();
  go.hear();
  static shmq::Claim<void> in_block = to_b.try_claim(500);
  static auto keep = std::make_tuple(segment, gone, std::move(to_gone), std::move(from_a));
  ready.say();
  for (;;) ::pause();
}

/// The second one: takes, gives back, takes again, forwards.
void second(const std::string& name, Pipe& ready) {
  static auto segment = shmq::Segment::open(name, {.name = "second"}).value();
  static auto a = segment.open_queue("a").value();
  static auto b = segment.open_queue("b").value();
  static auto from_b = b.consumer();
  static auto to_a = a.producer();
  from_b.try_receive().requeue();
  from_b.try_receive().requeue();
  static shmq::Message again = from_b.try_receive();     // a redelivered one, inline
  static shmq::Message large = from_b.try_receive();     // in a block
  static shmq::Message largest = from_b.try_receive();   // in a block
  need(largest.forward(to_a));                           // now in "a", with an origin
  static auto s = segment.open_queue("s").value();
  static auto from_s = s.consumer();
  static shmq::Message first_of_s = from_s.try_receive();
  static shmq::Message second_of_s = from_s.try_receive();
  static shmq::Message third_of_s = from_s.try_receive();
  third_of_s.requeue();
  second_of_s.release();  // before the first one
  static auto m = segment.open_queue("m").value();
  static auto from_m = m.consumer();
  static shmq::Message first_of_m = from_m.try_receive();
  static shmq::ClaimBatch claims = to_a.try_claim_batch(1, 8);
  ready.say();
  for (;;) ::pause();
}

std::vector<std::byte> read_file(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat status {};
  if (descriptor < 0 || ::fstat(descriptor, &status) != 0) give_up("cannot read " + path);
  std::vector<std::byte> bytes(static_cast<std::size_t>(status.st_size));
  if (::read(descriptor, bytes.data(), bytes.size()) != status.st_size) give_up("cannot read " + path);
  ::close(descriptor);
  return bytes;
}

Image make_image() {
  const std::string name = "hostile-sound-" + std::to_string(::getpid());
  Pipe ready, go;
  const pid_t one = start([&] { first(name, ready, go); });
  ready.hear();
  const pid_t two = start([&] { second(name, ready); });
  ready.hear();
  go.say();
  ready.hear();
  kill(one);
  kill(two);
  Image image;
  image.bytes = read_file("/dev/shm/shmq." + name);
  (void)shmq::Segment::remove(name);
  for (const int end : {ready.ends[0], ready.ends[1], go.ends[0], go.ends[1]}) ::close(end);
  return image;
}

}  // namespace

const Image& sound_image() {
  static const Image kImage = make_image();
  return kImage;
}

LiveCopy::LiveCopy(std::string name, const Image& image) : name_(std::move(name)), size_(image.bytes.size()) {
  ::unlink(path().c_str());
  const int descriptor = ::open(path().c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  struct stat status {};
  if (descriptor < 0 || ::ftruncate(descriptor, static_cast<off_t>(size_)) != 0 || ::fstat(descriptor, &status) != 0)
    give_up("cannot make " + path());
  void* mapped = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  ::close(descriptor);
  if (mapped == MAP_FAILED) give_up("cannot map " + path());
  base_ = static_cast<std::byte*>(mapped);
  std::memcpy(base_, image.bytes.data(), size_);
  auto& header = *reinterpret_cast<shmq::layout::SegmentHeader*>(base_);
  header.device = status.st_dev;
  header.inode = status.st_ino;
}

LiveCopy::~LiveCopy() {
  ::munmap(base_, size_);
  unlink();
}

void LiveCopy::unlink() const { ::unlink(path().c_str()); }

}  // namespace hostile
