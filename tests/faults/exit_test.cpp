// Processes that end without giving back what they hold: by exit, _exit, abort, an exception nobody catches.
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>
#include <thread>

#include "support.hpp"

namespace faults {
namespace {

using shmq::Outcome;

struct Loans {
  explicit Loans(const std::string& name)
      : segment(opened(name)),
        queue(segment.open_queue("q").value()),
        consumer(queue.consumer()),
        producer(queue.producer()) {}
  shmq::Segment segment;
  shmq::Queue<void> queue;
  shmq::Consumer<void> consumer;
  shmq::Producer<void> producer;
  shmq::Message held = consumer.receive();
  shmq::MessageBatch batch = consumer.receive_batch(2);
  shmq::Claim<void> claimed = producer.claim(10);
  shmq::Claim<void> block = producer.claim(3000);
};

class Exit : public ::testing::TestWithParam<std::pair<const char*, void (*)(const std::string&)>> {};

TEST_P(Exit, WithLoansHeldIsRepaired) {
  const Name name("exit");
  auto segment = shmq::Segment::create(name, {.size_bytes = 8u << 20, .blocks = {{{4096, 4}}}}).value();
  auto queue = queue_of(segment, "q", {.capacity = 8});
  auto producer = queue.producer();
  for (const char* text : {"one", "two", "three"}) ASSERT_EQ(producer.send(bytes_of(text)), Outcome::ok);
  const std::string said = in_child([&]() -> std::string {
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
    std::freopen("/dev/null", "w", stderr);
    GetParam().second(name);
    return "is still there";
  });
  EXPECT_NE(said, "is still there");
  EXPECT_NE(said, "hangs");
  ASSERT_EQ(producer.send(bytes_of("four")), Outcome::ok);
  auto consumer = queue.consumer();
  for (const std::string text : {"one", "two", "three", "four"}) {
    shmq::Message message = consumer.receive(kPatience);
    ASSERT_TRUE(message) << message.outcome();
    EXPECT_EQ(text_of(message), text);
    EXPECT_EQ(message.redelivered(), text != "four");
    message.release();
  }
  // All blocks are there again.
  const std::string large(3000, 'x');
  for (int i = 0; i < 4; ++i) EXPECT_EQ(producer.try_send(bytes_of(large)), Outcome::ok) << i;
  EXPECT_EQ(segment.reap().total(), 0u);
}

INSTANTIATE_TEST_SUITE_P(All, Exit,
                         ::testing::Values(std::pair(
                                               "_exit",
                                               +[](const std::string& name) {
                                                 const Loans loans(name);
                                                 ::_exit(1);
                                               }),
                                           std::pair(
                                               "exit_with_the_handles_on_the_stack",
                                               +[](const std::string& name) {
                                                 const Loans loans(name);
                                                 std::exit(0);
                                               }),
                                           std::pair(
                                               "exit_with_the_handles_in_a_static",
                                               +[](const std::string& name) {
                                                 static const Loans kLoans(name);
                                                 std::exit(0);
                                               }),
                                           std::pair(
                                               "exit_with_the_handles_leaked",
                                               +[](const std::string& name) {
                                                 static const Loans* const kLoans = new Loans(name);
                                                 (void)kLoans;
                                                 std::exit(0);
                                               }),
                                           std::pair(
                                               "abort",
                                               +[](const std::string& name) {
                                                 const Loans loans(name);
                                                 std::abort();
                                               }),
                                           std::pair(
                                               "an_exception_that_nobody_catches",
                                               +[](const std::string& name) {
                                                 std::thread([&] {
                                                   const Loans loans(name);
                                                   throw std::runtime_error("nobody catches this");
                                                 }).join();
                                               }),
                                           std::pair(
                                               "an_exception_that_unwinds",
                                               +[](const std::string& name) {
                                                 const Loans loans(name);
                                                 throw std::runtime_error("caught by the test's child");
                                               })),
                         [](const auto& kind) { return std::string(kind.param.first); });

}  // namespace
}  // namespace faults
