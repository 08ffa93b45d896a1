// A zero-filled shared-memory object of one type, for the protocols that the harness is tried on.
#pragma once

#include "failure.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <string>

namespace killtest {

inline int open_shared_object(const std::string& name, int flags) {
  const int file = shm_open(("/shmq." + name).c_str(), flags | O_RDWR | O_CLOEXEC, 0600);
  require_system(file >= 0, "shm_open of " + name);
  return file;
}

inline void create_shared_object(const std::string& name, std::size_t size_bytes) {
  const int file = open_shared_object(name, O_CREAT | O_EXCL);
  require_system(ftruncate(file, static_cast<off_t>(size_bytes)) == 0, "ftruncate");
  close(file);
}

/// A mapping of an object that exists. T must be an aggregate of lock-free atomics, for which zeros are a
/// value.
template <class T>
class SharedObject {
 public:
  explicit SharedObject(const std::string& name) {
    const int file = open_shared_object(name, 0);
    void* memory = mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    require_system(memory != MAP_FAILED, "mmap of " + name);
    object_ = static_cast<T*>(memory);
  }
  SharedObject(const SharedObject&) = delete;
  SharedObject& operator=(const SharedObject&) = delete;
  ~SharedObject() { munmap(object_, sizeof(T)); }

  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }

 private:
  T* object_;
};

}  // namespace killtest
