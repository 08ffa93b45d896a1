#include "world.hpp"

#include <dirent.h>
#include <unistd.h>

namespace killtest {
namespace {

constexpr const char* shm_directory = "/dev/shm";

std::string next_tag() {
  static unsigned serial = 0;
  return "kill-" + std::to_string(getpid()) + "-" + std::to_string(++serial);
}

}  // namespace

World::World(Limits limits) : limits_(limits), tag_(next_tag()) {}

World::~World() {
  processes_.clear();
  for (const std::string& path : leftovers()) unlink(path.c_str());
  for (const std::string& path : adopted_) {
    if (path.rfind(std::string(shm_directory) + "/", 0) == 0) unlink(path.c_str());
  }
}

Process& World::spawn(std::string name, const ActorFactory& make) {
  processes_.push_back(std::make_unique<Process>(std::move(name), make, limits_));
  return *processes_.back();
}

void World::run(const std::string& name, const std::function<void()>& work) {
  const auto make = [&] {
    work();
    return std::make_unique<Actor>();
  };
  Process(name, make, limits_).quit();
}

std::vector<std::string> World::leftovers() const {
  std::vector<std::string> found;
  DIR* directory = opendir(shm_directory);
  require_system(directory != nullptr, std::string("cannot list ") + shm_directory);
  while (const dirent* entry = readdir(directory)) {
    const std::string file = entry->d_name;
    const auto at = file.find(tag_);
    if (at == std::string::npos) continue;
    // "kill-1-1" must not match "kill-1-12"
    const auto end = at + tag_.size();
    if (end == file.size() || file[end] < '0' || file[end] > '9') {
      found.push_back(std::string(shm_directory) + "/" + file);
    }
  }
  closedir(directory);
  return found;
}

}  // namespace killtest
