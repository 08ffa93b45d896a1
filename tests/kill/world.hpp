// Everything that one point needs and nothing that another point has touched: names, processes, clean-up.
#pragma once

#include "process.hpp"

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace killtest {

/// Lives in the driver. Not to be used in actors: pass them the strings they need.
class World {
 public:
  explicit World(Limits limits);
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  /// Kills every process that still runs and removes the files that leftovers() lists.
  ~World();

  /// A string that is in no other world's names, on this machine, now.
  const std::string& tag() const { return tag_; }
  /// A segment name of this world, e.g. "kill-4711-3-a" for suffix "a". The file of a segment, and every
  /// temporary file made on the way, must have the segment's name in its own, or it is not cleaned up.
  std::string name(std::string_view suffix = "s") const { return tag_ + "-" + std::string(suffix); }

  /// Starts a process; returns when its actor was constructed. The reference holds as long as the world.
  Process& spawn(std::string name, const ActorFactory& make);
  /// Runs the work in a process of its own that has exited when this returns. For what nobody may stay
  /// attached to.
  void run(const std::string& name, const std::function<void()>& work);

  /// Files in /dev/shm that have this world's tag in their name.
  std::vector<std::string> leftovers() const;
  /// A file to be removed at the end though its name has no tag.
  void adopt(const std::string& path) { adopted_.insert(path); }
  const Limits& limits() const { return limits_; }

 private:
  Limits limits_;
  std::string tag_;
  std::vector<std::unique_ptr<Process>> processes_;
  std::set<std::string> adopted_;
};

}  // namespace killtest
