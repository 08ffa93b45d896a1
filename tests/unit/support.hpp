// What the unit tests of the public API share.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "shmq/shmq.hpp"

namespace shmq::test {

using namespace std::chrono_literals;

/// Ends a wait that should have ended long before; not a measure of speed.
inline constexpr std::chrono::seconds kPatience{60};

/// A test with a segment of its own, which is gone afterwards.
class SegmentTest : public ::testing::Test {
 protected:
  Segment make(const SegmentOptions& options = {.size_bytes = 4u << 20}) {
    return Segment::create(name_, options).value();
  }
  Queue<void> queue(Segment& segment, const std::string& name, const QueueOptions& options = {}) {
    return segment.queue(name, options).value();
  }
  ~SegmentTest() override { (void)Segment::remove(name_); }

  const std::string name_ = "unit-" + std::to_string(::getpid());
};

inline std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }
inline std::string text_of(std::span<const std::byte> data) {
  return {reinterpret_cast<const char*>(data.data()), data.size()};
}
inline std::string text_of(const Message& message) { return text_of(message.data()); }

/// Receives, checks and releases one message.
inline void expect_next(Consumer<void>& consumer, const std::string& text, bool redelivered = false) {
  Message message = consumer.receive(kPatience);
  ASSERT_TRUE(message) << message.outcome();
  EXPECT_EQ(text_of(message), text);
  EXPECT_EQ(message.redelivered(), redelivered) << text;
  message.release();
}

}  // namespace shmq::test
