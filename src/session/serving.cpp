#include "session/serving.h"

#include <utility>

#include "session/connection_impl.h"
#include "session/core.h"

namespace dmmap::session {

namespace {

struct Handled {
  NodeId node;
  bool locks_node = false;
};

thread_local Core* served = nullptr;
thread_local Handled handled;
thread_local bool waits = false;  // another has its place already

}  // namespace

void mark_serving_thread(Core& core) {
  served = &core;
}
bool is_serving_thread() {
  return served != nullptr;
}

Handling::Handling(NodeId node, bool locks_node) {
  handled = {node, locks_node};
}
Handling::~Handling() {
  handled = {};
}

bool handling_locks(const Connection& connection, NodeId node) {
  return handled.locks_node && handled.node == node && served != nullptr && &connection == &served->connection();
}

WhileWaiting::WhileWaiting() : core_(waits ? nullptr : served), may_wait_(core_ == nullptr || core_->begin_waiting()) {
  waits = waits || (core_ != nullptr && may_wait_);
}

WhileWaiting::~WhileWaiting() {
  if (core_ != nullptr && may_wait_) {
    waits = false;
    core_->end_waiting();
  }
}

}  // namespace dmmap::session
