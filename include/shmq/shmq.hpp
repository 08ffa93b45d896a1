// Everything: segments, queues, waiting for several of them, task tables, capacity planning and inspection.
#pragma once

#include "shmq/capacity_plan.hpp"
#include "shmq/inspect.hpp"
#include "shmq/outcome.hpp"
#include "shmq/result.hpp"
#include "shmq/segment.hpp"
#include "shmq/selector.hpp"
#include "shmq/tasks.hpp"
