// submit_limited SEG T MILLISECONDS PAYLOAD: one task whose run may take so long, once. Prints its id.
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <span>
#include <string_view>

#include "shmq/segment.hpp"
#include "shmq/tasks.hpp"

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  auto segment = shmq::Segment::open(argv[1], {.name = "submit_limited"}).value();
  auto table = segment.open_task_table(argv[2]).value();
  shmq::TaskOptions options;
  options.run_limit = std::chrono::milliseconds(std::strtoll(argv[3], nullptr, 10));
  options.timeouts_max = 0;
  const std::string_view payload = argv[4];
  const shmq::Submitted submitted = table.submit(std::as_bytes(std::span(payload)), options);
  if (!submitted) {
    std::cerr << "cannot submit: " << submitted.outcome << '\n';
    return 1;
  }
  std::cout << submitted.id << '\n';
  return 0;
}
