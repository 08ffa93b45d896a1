// COMMAND [ARGUMENT...] as it was given, with `{}` where the payload goes. No shell: an argument is an argument.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace shmq::cli {

class CommandLine {
 public:
  /// `words` has one at least. Looks the program up in PATH once; Failure where it is not there. One whose name has a
  /// `{}` in it is looked up for each payload.
  explicit CommandLine(std::vector<std::string> words);

  /// Whether a `{}` stands in it somewhere.
  bool takes_payload() const { return takes_payload_; }
  /// Adds the argument `{}`.
  void append_payload();

  /// The arguments, the program's name first, with `payload` at each `{}`.
  std::vector<std::string> with(std::string_view payload) const;
  /// The file to execute; `arguments` are those of with(). Empty: there is none.
  std::string program(const std::vector<std::string>& arguments) const;

 private:
  std::vector<std::string> words_;
  bool takes_payload_ = false;
  std::string program_;  // empty: to be looked up
};

}  // namespace shmq::cli
