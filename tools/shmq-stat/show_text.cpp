#include <algorithm>

#include "base/text.hpp"
#include "human.hpp"
#include "process_state.hpp"
#include "shmq/tasks.hpp"
#include "text.hpp"
#include "who_text.hpp"

namespace shmq::stat {

namespace {

std::string ago_text(std::int64_t now_ns, std::int64_t then_ns) {
  return then_ns <= 0 ? "?" : now_ns < then_ns ? "just now" : duration_text(now_ns - then_ns) + " ago";
}

std::string for_text(const HoldSnapshot& hold) {
  return hold.at_most_ns ? " for at most " + duration_text(*hold.at_most_ns) : std::string();
}

std::string head_text(const SegmentSnapshot& s) {
  char mode[8];
  std::snprintf(mode, sizeof mode, "%04o", s.mode);
  std::string text = s.name.empty() ? "Segment file " + printable(s.path) : "Segment " + printable(s.name) + "  " + printable(s.path);
  text += '\n';
  if (s.removed) text += "  REMOVED: its memory goes with the last process that has it mapped\n";
  if (s.copy) text += "  A COPY: who is alive and how long something is held cannot be told from it\n";
  text += "  " + base::size_text(s.size_bytes) + ", mode " + mode + ", user " + user_text(s.uid) + ", group " + group_text(s.gid) + "\n";
  text += "  created " + time_text(s.created_ns) + " by pid " + std::to_string(s.creator_pid) + " with shmq " + printable(s.build) +
          ", layout " + std::to_string(s.layout_version) + ", uuid " + s.uuid + "\n";
  text += "  room for objects " + base::size_text(s.object_bytes) + ", " + base::size_text(s.object_bytes_free) + " free, " +
          base::size_text(s.object_bytes_free_run) + " of it in one piece\n";
  return text;
}

std::string participants_text(const SegmentSnapshot& s) {
  std::string text = "\nParticipants: " + std::to_string(s.participants.size()) + " of " + std::to_string(s.participants_max) + "\n";
  Table table({">ID", "NAME", "STATE", ">PID", "USER", "ATTACHED", ">BLOCKS", "PROCESS", "NOTE"});
  for (const ParticipantSnapshot& p : s.participants) {
    std::string note;
    if (p.sweeping != 0) note = "is sweeping id " + std::to_string(p.sweeping);
    if (!s.copy && !p.pid_is_ours) note += std::string(note.empty() ? "" : ", ") + "pid of another pid namespace";
    table.row({std::to_string(p.id), printable(p.name), state_text(p), std::to_string(p.pid), user_text(p.uid),
               s.copy ? time_text(p.attached_ns) : ago_text(s.taken_ns, p.attached_ns), std::to_string(p.blocks), process_state(p), note});
  }
  return table.empty() ? text : text + table.text("  ");
}

std::string blocks_text(const SegmentSnapshot& s) {
  if (s.blocks.empty()) return "\nBlocks: none\n";
  Table table({">BLOCKS OF", ">COUNT", ">FREE", ">IN MESSAGES", ">BY PARTICIPANTS"});
  for (const BlockClassSnapshot& c : s.blocks)
    table.row({base::size_text(c.block_bytes), count_text(c.count), count_text(c.free), count_text(c.in_messages), count_text(c.by_participants)});
  return "\nBlocks: somebody waited for one " + count_text(s.block_waits) + " times\n" + table.text("  ");
}

std::string users_text(const SegmentSnapshot& s, const ObjectSnapshot& object) {
  std::string text;
  for (std::size_t i = 0; i < object.users.size(); ++i) {
    if (i == 4) return text + ", and " + std::to_string(object.users.size() - i) + " more";
    const ParticipantSnapshot* p = s.participant(object.users[i]);
    text += (i == 0 ? "" : ", ") + (p == nullptr ? "id " + std::to_string(object.users[i]) : printable(p->name) + " (" + std::to_string(p->pid) + ")");
  }
  return text.empty() ? "nobody" : text;
}

/// What is not simply a live queue that can be read: half-made, half-removed, damaged, of another kind.
std::string odd_objects_text(const SegmentSnapshot& s, const std::vector<const ObjectSnapshot*>& objects) {
  std::string text;
  for (const ObjectSnapshot* object : objects) {
    const std::string name = object->name.empty() ? "entry " + std::to_string(object->entry) : printable(object->name);
    if (!object->damaged.empty()) text += "  DAMAGED: " + name + ": " + object->damaged + "\n";
    if (object->state == ObjectState::claimed || object->state == ObjectState::creating)
      text += "  " + name + " is being created by " + who_text(s, object->owner) + "\n";
    if (object->state == ObjectState::reclaiming)
      text += "  " + name + " was removed; its space is being given back by " + who_text(s, object->owner) + "\n";
    if (object->state == ObjectState::removing)
      text += "  " + name + " was removed; its " + base::size_text(object->size_bytes) + " are kept for " + users_text(s, *object) + "\n";
    if (object->state == ObjectState::live && !object->queue && !object->tasks && object->damaged.empty())
      text += "  " + name + " is of a kind that this program does not know: " + printable(object->kind) + "\n";
  }
  return text.empty() ? text : "\nOther objects:\n" + text;
}

std::string flags_text(const ObjectSnapshot& object) {
  std::string text = object.queue->removed || object.state != ObjectState::live ? "removed" : object.queue->closed ? "closed" : "open";
  if (object.queue->consumers_sleep) text += ", consumers sleep";
  if (object.queue->producers_sleep) text += ", producers sleep";
  return text;
}

std::string queues_text(const SegmentSnapshot& s, const std::vector<const ObjectSnapshot*>& objects) {
  Table ends({"QUEUE", ">RING", ">USED", "PRODUCER", "CONSUMER"});
  Table fill({"QUEUE", ">DEPTH", ">CAPACITY", ">IN", ">OUT", ">BEING WRITTEN", ">READY", ">BEING READ", ">TO REDELIVER", "STATE"});
  Table past({"QUEUE", ">SLOT", ">INLINE", "ON FULL", ">REDELIVERED", ">TOMBS", ">PURGED", ">DROPPED", ">FULL WAITS", ">EMPTY WAITS", "METADATA"});
  Table dead({"QUEUE", ">DELIVERY LIMIT", "DEAD LETTERS TO", ">DEAD-LETTERED", ">REFUSED THERE", ">REJECTED"});
  for (const ObjectSnapshot* object : objects) {
    if (!object->queue) continue;
    const QueueSnapshot& q = *object->queue;
    if (!q.dead_letter.empty() || q.rejected != 0)
      dead.row({printable(object->name), q.delivery_limit == 0 ? "none" : std::to_string(q.delivery_limit),
                q.dead_letter.empty() ? "none" : printable(q.dead_letter), count_text(q.dead_lettered),
                count_text(q.dead_letter_refused), count_text(q.rejected)});
    const bool spsc = q.ring_bytes != 0;
    const auto amount = [&](std::uint64_t n) { return spsc ? base::size_text(n) : count_text(n); };
    if (spsc)
      ends.row({printable(object->name), base::size_text(q.ring_bytes), base::size_text(q.bytes_used),
                who_text(s, q.producer), who_text(s, q.consumer)});
    fill.row({printable(object->name), count_text(q.depth), amount(q.capacity), amount(q.total_in), amount(q.total_out),
              count_text(q.slots.writing), count_text(q.slots.ready), count_text(q.slots.reading + q.slots.rereading),
              count_text(q.slots.redeliver), flags_text(*object)});
    past.row({printable(object->name), spsc ? "-" : base::size_text(q.slot_bytes), base::size_text(q.inline_bytes),
              to_string(q.on_full), count_text(q.redelivered), count_text(q.tombs), count_text(q.purged), count_text(q.dropped),
              count_text(q.full_waits), count_text(q.empty_waits), q.metadata ? "yes" : "no"});
  }
  if (fill.empty()) return "\nQueues: none\n";
  return "\n" + fill.text("  ") + (ends.empty() ? "" : "\n" + ends.text("  ")) + "\n" + past.text("  ") + (dead.empty() ? "" : "\n" + dead.text("  "));
}

std::string tasks_text(const SegmentSnapshot& s, const std::vector<const ObjectSnapshot*>& objects) {
  Table states({"TASK TABLE", ">CAPACITY", ">FREE", ">HELD", ">DELAYED", ">READY", ">CLAIMED", ">RUNNING", ">DONE", ">DEAD", ">CANCELLED", ">EXPIRED",
                "STATE"});
  Table shares({"TASK TABLE", "IN THE HANDS OF", ">BEING WRITTEN", ">CLAIMED", ">RUNNING"});
  for (const ObjectSnapshot* object : objects) {
    if (!object->tasks) continue;
    const TaskTableSnapshot& t = *object->tasks;
    const auto in = [&](TaskState state) { return count_text(t.states[static_cast<std::size_t>(state)]); };
    std::string state = t.removed || object->state != ObjectState::live ? "removed" : t.draining ? "draining" : "open";
    if (t.paused) state += ", paused";
    if (t.workers_sleep) state += ", workers sleep";
    if (t.submitters_sleep) state += ", submitters sleep";
    states.row({printable(object->name), count_text(t.capacity), in(TaskState::free), in(TaskState::held), in(TaskState::delayed),
                in(TaskState::ready), in(TaskState::claimed), in(TaskState::running), in(TaskState::done), in(TaskState::dead),
                in(TaskState::cancelled), in(TaskState::expired), state});
    for (const TaskTableSnapshot::Share& share : t.shares)
      shares.row({printable(object->name), who_text(s, share.participant), count_text(share.writing), count_text(share.claimed),
                  count_text(share.running)});
  }
  return states.empty() ? std::string() : "\n" + states.text("  ") + (shares.empty() ? "" : "\n" + shares.text("  "));
}

std::string holds_text(const SegmentSnapshot& s, const std::vector<const ObjectSnapshot*>& objects) {
  Table table({"QUEUE", "HELD BY", "FOR", ">POSITIONS", ">OLDEST", ">AT MOST", ">LAST USE", ">REDELIVERED"});
  for (const ObjectSnapshot* object : objects) {
    if (!object->queue) continue;
    for (const HoldSnapshot& hold : object->queue->holds)
      table.row({printable(object->name), who_text(s, hold.participant), hold.kind == HoldSnapshot::Kind::writing ? "writing" : "reading",
                 count_text(hold.count), std::to_string(hold.oldest_position), hold.at_most_ns ? duration_text(*hold.at_most_ns) : "?",
                 hold.last_use_ago_ns ? duration_text(*hold.last_use_ago_ns) + " ago" : "?", count_text(hold.redelivered)});
  }
  return table.empty() ? std::string("\nNobody holds anything.\n") : "\n" + table.text("  ");
}

const HoldSnapshot* hold_of(const QueueSnapshot& queue, HoldSnapshot::Kind kind, const ObstacleSnapshot& obstacle) {
  for (const HoldSnapshot& hold : queue.holds)
    if (hold.kind == kind && hold.participant == obstacle.participant) return &hold;
  return nullptr;
}

/// What follows for those who wait, by the holder's state.
std::string outlook_text(const SegmentSnapshot& s, std::uint32_t id) {
  const ParticipantSnapshot* p = s.participant(id);
  if (p == nullptr || s.copy) return "";
  if (p->state == ParticipantState::dead) return "; it is dead: the next wait, attach or shmq reap mends this";
  if (p->state == ParticipantState::alive && process_state(*p) == "stopped")
    return "; it is stopped and is waited for: kill -CONT " + std::to_string(p->pid) + " lets it go on, kill -KILL has it mended";
  return "";
}

std::string obstacles_text(const SegmentSnapshot& s, const std::vector<const ObjectSnapshot*>& objects) {
  std::string text;
  for (const ObjectSnapshot* object : objects) {
    if (!object->queue) continue;
    const QueueSnapshot& q = *object->queue;
    const auto line = [&](const char* side, const char* does, HoldSnapshot::Kind kind, const std::optional<ObstacleSnapshot>& obstacle) {
      if (!obstacle) return;
      const HoldSnapshot* hold = hold_of(q, kind, *obstacle);
      text += "  " + printable(object->name) + ": " + side + " cannot pass position " + std::to_string(obstacle->position) + ", which " +
              who_text(s, obstacle->participant) + " " + does + (hold == nullptr ? std::string() : for_text(*hold)) +
              outlook_text(s, obstacle->participant) + "\n";
    };
    line("consumers", "has been writing", HoldSnapshot::Kind::writing, q.consumers_wait_for);
    line("producers of the full queue", "has been reading", HoldSnapshot::Kind::reading, q.producers_wait_for);
  }
  return text.empty() ? text : "\nWho blocks whom:\n" + text;
}

}  // namespace

std::string show_text(const SegmentSnapshot& segment, const std::string& queue) {
  std::vector<const ObjectSnapshot*> objects;
  for (const ObjectSnapshot& object : segment.objects)
    if (queue.empty() || object.name == queue) objects.push_back(&object);
  std::string text = head_text(segment) + participants_text(segment);
  if (queue.empty()) text += blocks_text(segment);
  return text + queues_text(segment, objects) + tasks_text(segment, objects) + odd_objects_text(segment, objects) + holds_text(segment, objects) + obstacles_text(segment, objects);
}

}  // namespace shmq::stat
