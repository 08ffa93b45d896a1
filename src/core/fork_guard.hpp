// The list of this process's attachments, for the child of a fork: it must not keep its parent's locks, or
// the parent would look alive after its death, and must not use its parent's rows.
#pragma once

#include <mutex>

namespace shmq::core {

class Attachment;

/// While it is held no fork() of this process goes on: no child is born between the opening of a lock's
/// descriptor and its registration.
std::unique_lock<std::mutex> hold_forks();

/// Both under hold_forks().
void guard_forks(Attachment& attachment);
void unguard_forks(Attachment& attachment);

}  // namespace shmq::core
