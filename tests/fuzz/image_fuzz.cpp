// Bytes → the bytes of a segment's file: inspected as a copy, then opened and used as a living segment.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

#include "dice.hpp"
#include "image.hpp"
#include "operations.hpp"
#include "shmq/inspect.hpp"
#include "shmq/layout/segment_header.hpp"
#include "target.hpp"

int LLVMFuzzerInitialize(int*, char***) { return 0; }

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const int kFile = ::memfd_create("image", MFD_CLOEXEC);
  static const std::string kPath = "/proc/self/fd/" + std::to_string(kFile);
  static const std::string kName = "fuzz-image-" + std::to_string(::getpid());
  if (::ftruncate(kFile, 0) != 0 || ::pwrite(kFile, data, size, 0) != static_cast<ssize_t>(size)) return 0;
  if (const auto snapshot = shmq::inspect_copy(kPath); snapshot)
    for (const auto& object : snapshot->objects) (void)snapshot->queue(object.name);
  if (size < sizeof(shmq::layout::SegmentHeader)) return 0;

  hostile::Image image;
  image.bytes.resize(size);
  std::memcpy(image.bytes.data(), data, size);
  const hostile::LiveCopy live(kName, image);
  hostile::Dice dice(0);  // always the same operations: what differs is the file
  hostile::Progress progress;
  hostile::Operations operations(kName, dice, progress);
  operations.hurry();
  operations.open();
  for (int step = 0; step < 40; ++step) operations.step();
  operations.close();
  return 0;
}
