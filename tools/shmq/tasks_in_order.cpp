#include "tasks_in_order.hpp"

#include <unistd.h>

#include <cerrno>
#include <span>

#include "base/text.hpp"
#include "failure.hpp"
#include "output.hpp"
#include "task_text.hpp"
#include "write_list.hpp"

namespace shmq::cli {

namespace {
constexpr std::size_t kGather = std::size_t{64} << 10;  // bytes per write, where so much is there
}

/// One that is over, or not there any more.
void TasksInOrder::gather(TaskId id) {
  ++next_;
  const std::string about = "submit: task " + std::to_string(next_) + " of this submission, id " + std::to_string(id) + ", ";
  // The result first: a task may be removed, or kicked, between two looks.
  if (const auto result = table_.result(id)) {
    text_.append(reinterpret_cast<const char*>(result->data()), result->size());
  } else {
    ++failed_;
    const std::optional<TaskInfo> info = table_.info(id);
    remark(about + (info ? "is " + fate_text(*info) : "is not in the table any more: somebody removed it"));
  }
  if (framing_ != Framing::whole) text_ += framing_ == Framing::nul ? '\0' : '\n';
  written_out_.push_back(id);
}

std::string TasksInOrder::written_text() const {
  return std::to_string(written()) + (written() == 1 ? " result was written" : " results were written");
}

void TasksInOrder::write_out() {
  if (written_out_.empty()) return;
  WriteList list;
  list.add(std::as_bytes(std::span(text_)));
  const WriteList::Written written = list.write_all(STDOUT_FILENO, interruption_);
  if (written.error != 0 && written.error != EPIPE)
    throw Failure{kFailed, "cannot write to standard output: " + base::errno_text(written.error) + "; " +
                               written_text() + ", the others are still in the table"};
  if (written.bytes != text_.size()) {
    reader_gone_ = written.error != 0;
    return;
  }
  if (!keep_)
    for (const TaskId id : written_out_) (void)table_.remove(id);  // unless somebody kicked it just now
  written_out_.clear();
  text_.clear();
}

void TasksInOrder::pass_on(std::chrono::nanoseconds at_most) {
  Limit limit(interruption_.token(), at_most);
  while (!waiting_.empty() && !reader_gone_) {
    const Outcome outcome = table_.wait(waiting_.front(), limit);
    if (outcome == Outcome::removed) throw Failure{kClosed, "the table was removed; results were lost with it"};
    if (outcome != Outcome::ok && outcome != Outcome::empty) break;
    gather(waiting_.front());
    waiting_.pop_front();
    if (text_.size() >= kGather || written_out_.size() >= kGather / 64) write_out();
    limit = Limit(interruption_.token(), std::chrono::nanoseconds(0));
  }
  write_out();
}

}  // namespace shmq::cli
