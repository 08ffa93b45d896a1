// create, plan, ls, rm, reap.
#include "address.hpp"
#include "base/text.hpp"
#include "commands.hpp"
#include "failure.hpp"
#include "options.hpp"
#include "output.hpp"
#include "shmq/capacity_plan.hpp"
#include "shmq/inspect.hpp"

namespace shmq::cli {

namespace {

std::uint32_t parse_mode(const std::string& text) {
  std::uint32_t mode = 0;
  bool sound = !text.empty() && text.size() <= 5;
  for (const char c : text) {
    sound = sound && c >= '0' && c <= '7';
    mode = mode * 8 + static_cast<std::uint32_t>(c - '0');
  }
  if (!sound || mode > 0777)
    throw UsageError{"--mode " + text + ": not an octal mode from 0 to 0777; use for example 0660"};
  return mode;
}

std::string attached_text(const SegmentSnapshot& segment) {
  std::size_t alive = 0;
  for (const ParticipantSnapshot& p : segment.participants) alive += p.state == ParticipantState::alive;
  return std::to_string(alive) + " attached";
}

std::string segment_line(const std::string& name) {
  const auto segment = inspect_segment(name, {.slots = false});
  if (!segment) return name + "\t" + segment.error().message() + "\n";
  std::size_t queues = 0, tables = 0;
  for (const ObjectSnapshot& object : segment->objects) {
    queues += object.queue && object.state == ObjectState::live;
    tables += object.tasks && object.state == ObjectState::live;
  }
  const std::string also = tables == 0 ? "" : ", " + std::to_string(tables) + (tables == 1 ? " task table" : " task tables");
  return name + "\t" + base::size_text(segment->size_bytes) + "\t" + std::to_string(queues) + " queues" + also + "\t" +
         attached_text(*segment) + "\n";
}

std::string queue_line(const std::string& segment, const ObjectSnapshot& object) {
  const QueueSnapshot& q = *object.queue;
  const bool counted = q.ring_bytes != 0 && q.consumer == 0;  // in depth, too: inspect.hpp
  const std::uint64_t waiting = q.depth + (counted ? 0 : q.slots.redeliver);
  const std::string room = q.ring_bytes != 0 ? "spsc ring " + base::size_text(q.ring_bytes)
                                             : std::to_string(q.capacity) + "x" + std::to_string(q.slot_bytes);
  return segment + "/" + object.name + "\t" + room + "\t" + std::to_string(waiting) + " waiting\t" +
         to_string(q.on_full) + (q.metadata ? ", metadata" : "") +
         (q.delivery_limit != 0 ? ", delivery limit " + std::to_string(q.delivery_limit) : "") +
         (q.dead_letter.empty() ? "" : ", dead letters to " + q.dead_letter) +
         (q.closed ? ", closed" : "") + "\n";
}

std::string table_line(const std::string& segment, const ObjectSnapshot& object) {
  const TaskTableSnapshot& t = *object.tasks;
  const auto in = [&](TaskState state) { return t.states[static_cast<std::size_t>(state)]; };
  const auto also = [](std::uint32_t count, const char* what) {
    return count == 0 ? std::string() : ", " + std::to_string(count) + " " + what;
  };
  const std::uint32_t waiting =
      in(TaskState::held) + in(TaskState::waiting) + in(TaskState::delayed) + in(TaskState::ready) + in(TaskState::claimed);
  return segment + "/" + object.name + "\ttasks " + std::to_string(t.capacity) + "x" + std::to_string(t.payload_room) + "x" +
         std::to_string(t.result_room) + "\t" + std::to_string(waiting) + " waiting\t" +
         std::to_string(in(TaskState::running)) + " running" + also(in(TaskState::done), "done") +
         also(in(TaskState::dead), "dead") + also(in(TaskState::cancelled), "cancelled") +
         also(in(TaskState::expired), "expired") + (t.paused ? ", paused" : "") + (t.draining ? ", draining" : "") + "\n";
}

}  // namespace

int create_command(const Words& words) {
  const Arguments arguments(words, {{"--size", "SIZE"},
                                    {"--mode", "MODE"},
                                    {"--group", "GROUP"},
                                    {"--blocks", "COUNTxSIZE,..."},
                                    {"--participants", "N"},
                                    {"--objects", "N"},
                                    {"--prefault"}});
  const std::string name = parse_segment(arguments.only_word("SEG"));
  SegmentOptions options;
  options.size_bytes = arguments.size("--size", options.size_bytes);
  if (const auto mode = arguments.get("--mode")) options.mode = parse_mode(*mode);
  options.group = arguments.get("--group").value_or("");
  if (const auto blocks = arguments.get("--blocks")) options.blocks = parse_blocks(*blocks);
  options.participants_max =
      static_cast<std::uint32_t>(arguments.number("--participants", options.participants_max, 1, 4094));
  options.objects_max =
      static_cast<std::uint32_t>(arguments.number("--objects", options.objects_max, 1, 4095));
  options.prefault = arguments.has("--prefault");
  need(Segment::create(name, options, {.name = "shmq create"}));
  return kOk;
}

int plan_command(const Words& words) {
  const Arguments arguments(words, {{"--queue", "CAPACITYxSLOT"},
                                    {"--table", "CAPACITYxPAYLOAD[xRESULT]"},
                                    {"--policy", "fifo|priority|edf"},
                                    {"--metadata"},
                                    {"--blocks", "COUNTxSIZE,..."},
                                    {"--participants", "N"},
                                    {"--objects", "N"}});
  arguments.no_words();
  CapacityPlan plan(static_cast<std::uint32_t>(arguments.number("--participants", 64, 1, 4094)),
                    static_cast<std::uint32_t>(arguments.number("--objects", 128, 1, 4095)));
  const std::vector<std::string> queues = arguments.all("--queue");
  const std::vector<std::string> tables = arguments.all("--table");
  if (queues.empty() && tables.empty() && !arguments.has("--blocks"))
    throw UsageError{"needs --queue CAPACITYxSLOT, --table CAPACITYxPAYLOAD or --blocks COUNTxSIZE"};
  for (const std::string& text : queues) {
    QueueOptions options = parse_queue_shape(text);
    options.metadata = arguments.has("--metadata");
    plan.queue(options);
  }
  for (const std::string& text : tables) {
    TaskTableOptions options = parse_table_shape(text);
    options.policy = parse_policy(arguments.get("--policy").value_or("fifo"));
    plan.task_table(options);
  }
  for (const std::string& text : arguments.all("--blocks"))
    for (const BlockClass& c : parse_blocks(text)) plan.blocks(c.bytes, c.count);
  const SegmentOptions options = need(plan.options());
  std::string command = "shmq create SEG --size " + std::to_string(options.size_bytes) + " --blocks " +
                        blocks_text(*options.blocks);
  for (const char* name : {"--participants", "--objects"})
    if (const auto value = arguments.get(name)) command += std::string(" ") + name + " " + *value;
  print(plan.text() + "\n" + command + "\n");
  return kOk;
}

int list_command(const Words& words) {
  const Arguments arguments(words, {{"--long"}, {"-l"}});
  const bool details = arguments.has("--long") || arguments.has("-l");
  std::string text;
  if (arguments.words().empty()) {
    for (const std::string& name : list_segments()) text += details ? segment_line(name) : name + "\n";
  } else {
    const std::string name = parse_segment(arguments.only_word("SEG"));
    const SegmentSnapshot segment = need(inspect_segment(name, {.slots = details}));
    for (const ObjectSnapshot& object : segment.objects) {
      if ((!object.queue && !object.tasks) || object.state != ObjectState::live) continue;
      text += !details ? name + "/" + object.name + "\n" : object.queue ? queue_line(name, object) : table_line(name, object);
    }
  }
  print(text);
  return kOk;
}

int remove_command(const Words& words) {
  const Arguments arguments(words, {});
  if (arguments.words().empty()) throw UsageError{"needs SEG, SEG/Q or SEG/T"};
  // All names are looked at before the first is removed: a slip of the pen removes nothing.
  std::vector<Address> addresses;
  for (const std::string& word : arguments.words()) addresses.push_back(parse_address(word));
  for (const Address& address : addresses) {
    if (address.queue.empty()) {
      need(Segment::remove(address.segment));
      continue;
    }
    Segment segment = open_segment(address.segment, "rm");
    Status removed = segment.remove_queue(address.queue);
    if (!removed && removed.error().code() == ErrorCode::different) removed = segment.remove_task_table(address.queue);
    need(std::move(removed));
  }
  return kOk;
}

int reap_command(const Words& words) {
  const Arguments arguments(words, {});
  Segment segment = open_segment(parse_segment(arguments.only_word("SEG")), "reap");
  const Repairs repairs = segment.reap();
  if (repairs.total() == 0) {
    print("nothing to mend\n");
    return kOk;
  }
  std::string text;
  const auto add = [&](std::uint32_t count, const char* what) {
    if (count != 0) text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + what;
  };
  add(repairs.participants, "dead participants swept");
  add(repairs.messages, "messages to be delivered again");
  add(repairs.claims, "unfinished claims stepped over");
  add(repairs.blocks, "blocks given back");
  add(repairs.objects, "half-made objects cleared away");
  print(text + "\n");
  return kOk;
}

}  // namespace shmq::cli
