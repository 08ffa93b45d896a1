// Bytes → damage and operations: a living copy of the sound segment of tests/hostile, in which the input decides, in
// turn, what is damaged and which public operation comes next.
#include <unistd.h>

#include <span>
#include <string>

#include "corrupter.hpp"
#include "dice.hpp"
#include "image.hpp"
#include "operations.hpp"
#include "target.hpp"

namespace {

const hostile::Fields& fields() {
  static const hostile::Fields kFields = hostile::fields_of(hostile::sound_image().bytes);
  return kFields;
}

}  // namespace

int LLVMFuzzerInitialize(int*, char***) {
  (void)fields();  // forks, so before there are threads
  return 0;
}

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::string kName = "fuzz-live-" + std::to_string(::getpid());
  hostile::Dice dice(std::span(data, size));
  hostile::Progress progress;
  const hostile::LiveCopy live(kName, hostile::sound_image());
  hostile::Corrupter corrupter(fields(), live.base());
  corrupter.remember(false);
  hostile::Operations operations(kName, dice, progress);
  operations.hurry();
  if (dice.one_in(2)) corrupter.strike(dice);
  operations.open();
  for (int steps = 0; steps < 200 && !dice.over(); ++steps) {
    if (dice.one_in(4))
      corrupter.strike(dice);
    else
      operations.step();
  }
  operations.close();
  return 0;
}
