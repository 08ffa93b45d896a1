#include "documents.hpp"

#include "json.hpp"
#include "process_state.hpp"
#include "shmq/tasks.hpp"

namespace shmq::stat {

namespace {

void put_participants(Json& json, const SegmentSnapshot& s) {
  json.key("participants").open('[');
  for (const ParticipantSnapshot& p : s.participants) {
    const std::string process = process_state(p);
    json.open('{').member("id", p.id).member("incarnation", p.incarnation).member("state", to_string(p.state));
    json.member("joining", p.joining).member("swept", p.swept).member("name", p.name).member("pid", p.pid).member("uid", p.uid);
    json.member("pid_namespace", p.pid_namespace).member("pid_is_ours", p.pid_is_ours);
    json.member("start_time_ticks", p.start_time_ticks).member("attached_ns", p.attached_ns);
    json.member("sweeping", p.sweeping).member("blocks", p.blocks);
    json.member("process", process.empty() ? std::optional<std::string>() : process).close('}');
  }
  json.close(']');
}

void put_obstacle(Json& json, const char* name, const std::optional<ObstacleSnapshot>& obstacle) {
  json.key(name);
  if (!obstacle)
    json.value(std::optional<int>());
  else
    json.open('{').member("position", obstacle->position).member("participant", obstacle->participant).close('}');
}

void put_queue(Json& json, const QueueSnapshot& q, bool slots) {
  json.open('{').member("generation", q.generation).member("capacity", q.capacity).member("slot_bytes", q.slot_bytes);
  json.member("inline_bytes", q.inline_bytes).member("element_bytes", q.element_bytes);
  json.member("on_full", to_string(q.on_full)).member("metadata", q.metadata);
  json.member("delivery_limit", q.delivery_limit);
  json.member("dead_letter", q.dead_letter.empty() ? std::optional<std::string>() : q.dead_letter);
  json.member("closed", q.closed).member("removed", q.removed).member("depth", q.depth);
  if (q.ring_bytes != 0) {
    json.member("ring_bytes", q.ring_bytes).member("bytes_used", q.bytes_used);
    json.member("producer", q.producer).member("consumer", q.consumer);
  }
  json.member("total_in", q.total_in).member("total_out", q.total_out);
  json.member("head_position", q.head_position).member("tail_position", q.tail_position);
  json.member("redelivered", q.redelivered).member("tombs", q.tombs).member("purged", q.purged);
  json.member("dropped", q.dropped).member("rejected", q.rejected).member("dead_lettered", q.dead_lettered);
  json.member("dead_letter_refused", q.dead_letter_refused);
  json.member("full_waits", q.full_waits).member("empty_waits", q.empty_waits);
  json.member("consumers_sleep", q.consumers_sleep).member("producers_sleep", q.producers_sleep);
  if (slots) {
    const QueueSnapshot::Slots& n = q.slots;
    json.key("slots").open('{').member("free", n.free).member("writing", n.writing).member("ready", n.ready);
    json.member("tombs", n.tombs).member("reading", n.reading).member("rereading", n.rereading);
    json.member("redeliver", n.redeliver).member("unclear", n.unclear).close('}');
    json.key("holds").open('[');
    for (const HoldSnapshot& hold : q.holds) {
      json.open('{').member("kind", hold.kind == HoldSnapshot::Kind::writing ? "writing" : "reading");
      json.member("participant", hold.participant).member("count", hold.count).member("redelivered", hold.redelivered);
      json.member("oldest_position", hold.oldest_position).member("at_most_ns", hold.at_most_ns);
      json.member("last_use_ago_ns", hold.last_use_ago_ns).close('}');
    }
    json.close(']');
    put_obstacle(json, "consumers_wait_for", q.consumers_wait_for);
    put_obstacle(json, "producers_wait_for", q.producers_wait_for);
  }
  json.close('}');
}

void put_times(Json& json, const char* name, const TaskTimes& times) {
  json.key(name).open('{').member("count", times.count).member("mean_ns", times.mean.count());
  json.member("p50_ns", times.p50.count()).member("p99_ns", times.p99.count()).close('}');
}

/// The members of an object that is open.
void put_figures(Json& json, const TaskStatistics& f) {
  json.member("submitted", f.submitted).member("started", f.started).member("done", f.done).member("failures", f.failures);
  json.member("crashes", f.crashes).member("timeouts", f.timeouts).member("releases", f.releases).member("cancelled", f.cancelled);
  put_times(json, "wait", f.wait);
  put_times(json, "run", f.run);
}
void put_rates(Json& json, const EarlierLook* earlier, const TaskStatistics& then, const TaskStatistics& now) {
  if (earlier == nullptr) return;
  const Rates rates = rates_of(*earlier, then, now);
  json.key("rates").open('{').member("submitted_per_s", rates.submitted).member("started_per_s", rates.started);
  json.member("done_per_s", rates.done).member("otherwise_per_s", rates.otherwise).close('}');
}

void put_tasks(Json& json, const TaskTableSnapshot& t, bool slots, const EarlierLook* earlier = nullptr) {
  json.open('{').member("generation", t.generation).member("capacity", t.capacity);
  json.member("policy", to_string(t.policy)).member("payload_room", t.payload_room).member("result_room", t.result_room);
  json.member("paused", t.paused).member("draining", t.draining).member("removed", t.removed);
  json.member("workers_sleep", t.workers_sleep).member("submitters_sleep", t.submitters_sleep).member("hinted", t.hinted);
  json.member("keys", t.keys);
  if (slots) {
    static const TaskTableSnapshot nothing;
    const TaskTableSnapshot& then = earlier != nullptr ? earlier->table : nothing;
    json.member("keys_held", t.keys_held);
    json.key("states").open('{');
    for (std::size_t i = 0; i < t.states.size(); ++i) json.member(to_string(static_cast<TaskState>(i)), t.states[i]);
    json.close('}').key("shares").open('[');
    for (const TaskTableSnapshot::Share& share : t.shares)
      json.open('{').member("participant", share.participant).member("writing", share.writing).member("claimed", share.claimed)
          .member("running", share.running).close('}');
    json.close(']').key("in_hand").open('[');
    for (const TaskTableSnapshot::InHand& task : t.in_hand)
      json.open('{').member("id", task.id).member("participant", task.participant)
          .member("state", task.running ? "running" : "claimed").member("percent", task.percent).member("name", task.name).close('}');
    json.close(']').key("figures").open('{');
    put_figures(json, t.figures);
    put_rates(json, earlier, then.figures, t.figures);
    json.close('}').key("figures_by_name").open('[');
    for (const TaskStatistics& figures : t.figures_by_name) {
      json.open('{').member("name", figures.name);
      put_figures(json, figures);
      put_rates(json, earlier, same_of(then.figures_by_name, figures), figures);
      json.close('}');
    }
    json.close(']').key("figures_by_worker").open('[');
    for (const TaskStatistics& figures : t.figures_by_worker) {
      json.open('{').member("participant", figures.participant);
      put_figures(json, figures);
      put_rates(json, earlier, same_of(then.figures_by_worker, figures), figures);
      json.close('}');
    }
    json.close(']');
  }
  json.close('}');
}

void put_objects(Json& json, const SegmentSnapshot& s, const std::string& only, bool slots) {
  json.key("objects").open('[');
  for (const ObjectSnapshot& object : s.objects) {
    if (!only.empty() && object.name != only) continue;
    json.open('{').member("entry", object.entry).member("name", object.name).member("kind", object.kind);
    json.member("state", to_string(object.state)).member("owner", object.owner).member("generation", object.generation);
    json.member("offset", object.offset).member("size_bytes", object.size_bytes);
    json.member("damaged", object.damaged.empty() ? std::optional<std::string>() : object.damaged);
    json.key("users").open('[');
    for (const std::uint32_t id : object.users) json.value(id);
    json.close(']').key("queue");
    if (object.queue)
      put_queue(json, *object.queue, slots);
    else
      json.value(std::optional<int>());
    json.key("tasks");
    if (object.tasks)
      put_tasks(json, *object.tasks, slots);
    else
      json.value(std::optional<int>());
    json.close('}');
  }
  json.close(']');
}

void put_segment(Json& json, const SegmentSnapshot& s, const std::string& only, bool slots) {
  json.member("name", s.name.empty() ? std::optional<std::string>() : s.name).member("path", s.path);
  json.member("copy", s.copy).member("removed", s.removed).member("size_bytes", s.size_bytes);
  json.member("layout_version", s.layout_version).member("build", s.build).member("uuid", s.uuid);
  json.member("created_ns", s.created_ns).member("creator_pid", s.creator_pid);
  json.member("mode", s.mode).member("uid", s.uid).member("gid", s.gid);
  json.member("participants_max", s.participants_max).member("objects_max", s.objects_max);
  json.member("object_bytes", s.object_bytes).member("object_bytes_free", s.object_bytes_free);
  json.member("object_bytes_free_run", s.object_bytes_free_run).member("block_waits", s.block_waits);
  json.key("blocks").open('[');
  for (const BlockClassSnapshot& c : s.blocks) {
    json.open('{').member("block_bytes", c.block_bytes).member("count", c.count).member("free", c.free);
    if (slots) json.member("in_messages", c.in_messages).member("by_participants", c.by_participants);
    json.close('}');
  }
  json.close(']');
  put_participants(json, s);
  put_objects(json, s, only, slots);
}

Json begin_document(const char* command) {
  Json json;
  json.open('{').member("schema", "shmq-stat").member("version", kJsonVersion).member("command", command);
  return json;
}

}  // namespace

std::string list_document(const std::vector<Listed>& segments) {
  Json json = begin_document("list");
  json.key("segments").open('[');
  for (const Listed& listed : segments) {
    json.open('{');
    if (listed.snapshot)
      put_segment(json, *listed.snapshot, "", false);
    else
      json.member("name", listed.name).key("error").open('{').member("code", to_string(listed.snapshot.error().code())).member(
          "message", listed.snapshot.error().message()).close('}');
    json.close('}');
  }
  json.close(']').close('}');
  return json.text() + "\n";
}

std::string show_document(const SegmentSnapshot& segment, const std::string& queue) {
  Json json = begin_document("show");
  json.member("taken_ns", segment.taken_ns).key("segment").open('{');
  put_segment(json, segment, queue, true);
  json.close('}').close('}');
  return json.text() + "\n";
}

std::string tasks_document(const SegmentSnapshot& segment, const ObjectSnapshot& table, const EarlierLook* earlier) {
  Json json = begin_document("tasks");
  json.member("taken_ns", segment.taken_ns).member("segment", segment.name).member("name", table.name);
  json.member("rates_over_ns", earlier != nullptr ? std::optional(earlier->ago_ns) : std::nullopt).key("tasks");
  put_tasks(json, *table.tasks, true, earlier);
  put_participants(json, segment);
  return json.close('}').text() + "\n";
}

}  // namespace shmq::stat
