// Drives any CXXRTL design for sim/cxxrtl.py: clocks it, feeds and drains streams, records probes.
// Design-independent; compiled together with the design that DESIGN names.

#include <cxxrtl/cxxrtl.h>

namespace cxxrtl {

// Slices of values by themselves. CXXRTL's read and write all of a value for any part of it, so
// that a signal which is put together from many parts takes the square of its width: of wide
// engines that was most of the time.
template <size_t Bits, size_t Stop, size_t Start>
value<Stop - Start + 1> part_of(const value<Bits> &whole) {
    constexpr size_t first = Start / 32, shift = Start % 32;
    value<Stop - Start + 1> part;
    for (size_t n = 0; n < part.chunks; n++) {
        uint64_t both = whole.data[first + n];
        if (first + n + 1 < whole.chunks) both |= uint64_t(whole.data[first + n + 1]) << 32;
        part.data[n] = uint32_t(both >> shift);
    }
    part.data[part.chunks - 1] &= part.msb_mask;
    return part;
}

template <size_t Bits, size_t Stop, size_t Start>
void put_into(value<Bits> &whole, const value<Stop - Start + 1> &part) {
    constexpr size_t first = Start / 32, shift = Start % 32;
    for (size_t n = 0; n < part.chunks; n++) {
        uint64_t mask = uint64_t(n + 1 < part.chunks ? ~uint32_t(0) : part.msb_mask) << shift;
        uint64_t bits = uint64_t(part.data[n]) << shift;
        uint32_t &low = whole.data[first + n];
        low = (low & ~uint32_t(mask)) | uint32_t(bits);
        if (mask >> 32) {
            uint32_t &high = whole.data[first + n + 1];
            high = (high & ~uint32_t(mask >> 32)) | uint32_t(bits >> 32);
        }
    }
}

template <size_t Bits, size_t Stop, size_t Start>
struct slice_expr<value<Bits>, Stop, Start> : expr_base<slice_expr<value<Bits>, Stop, Start>> {
    static constexpr size_t bits = Stop - Start + 1;
    value<Bits> &expr;

    slice_expr(value<Bits> &expr) : expr(expr) {}
    slice_expr(const slice_expr &) = delete;
    operator value<bits>() const { return part_of<Bits, Stop, Start>(expr); }
    value<bits> val() const { return *this; }
    slice_expr &operator=(const value<bits> &part) {
        put_into<Bits, Stop, Start>(expr, part);
        return *this;
    }
};

template <size_t Bits, size_t Stop, size_t Start>
struct slice_expr<const value<Bits>, Stop, Start>
    : expr_base<slice_expr<const value<Bits>, Stop, Start>> {
    static constexpr size_t bits = Stop - Start + 1;
    const value<Bits> &expr;

    slice_expr(const value<Bits> &expr) : expr(expr) {}
    slice_expr(const slice_expr &) = delete;
    operator value<bits>() const { return part_of<Bits, Stop, Start>(expr); }
    value<bits> val() const { return *this; }
};

}  // namespace cxxrtl

namespace cxxrtl_design {

// A write that is not enabled need not be queued; sim/netlist.py makes every write one of these.
template <size_t Width>
static inline void write_enabled(cxxrtl::memory<Width> &memory, size_t index,
                                 const cxxrtl::value<Width> &value,
                                 const cxxrtl::value<Width> &mask, int priority) {
    if (!mask.is_zero()) memory.update(index, value, mask, priority);
}

}  // namespace cxxrtl_design

#include DESIGN
#include <cxxrtl/capi/cxxrtl_capi.cc>

namespace {

enum Role { SOURCE, SINK, PROBE };

// A source offers the words of `data`; a sink and a probe append to it, one row of
// `columns.size()` words for a beat, and the clock of the beat to `when`.
struct Agent {
    Role role;
    std::vector<cxxrtl_object *> columns;
    cxxrtl_object *valid, *ready;
    uint64_t wanted;  // beats that a source has and a sink waits for; a probe takes what comes
    uint64_t done = 0;
    uint32_t stall;   // of 65536: how often a source or sink does nothing in a clock
    uint32_t random;
    bool offered = false;
    std::vector<uint64_t> data, when;

    bool stalls() {
        if (!stall) return false;
        random ^= random << 13, random ^= random >> 17, random ^= random << 5;
        return (random & 0xffff) < stall;
    }
    bool finished() const { return role == PROBE || done >= wanted; }
};

struct Simulation {
    cxxrtl_handle handle;
    cxxrtl_object *clock;
    uint64_t clocks = 0;
    std::vector<Agent *> agents;
};

// The value of an outline exists only once it is asked for, which is slow.
uint64_t read(const cxxrtl_object *object) {
    if (object->outline) cxxrtl_outline_eval(object->outline);
    uint64_t value = object->curr[0];
    if (object->width > 32) value |= uint64_t(object->curr[1]) << 32;
    return value;
}

void write(cxxrtl_object *object, uint64_t value) {
    object->next[0] = uint32_t(value);
    if (object->width > 32) object->next[1] = uint32_t(value >> 32);
}

void drive(Agent &agent) {
    if (agent.role == SOURCE) {
        agent.offered = !agent.finished() && (agent.offered || !agent.stalls());
        write(agent.valid, agent.offered);
        if (agent.offered) write(agent.columns[0], agent.data[agent.done]);
    } else if (agent.role == SINK) {
        write(agent.ready, !agent.finished() && !agent.stalls());
    }
}

void sample(Agent &agent, uint64_t clock) {
    if (!read(agent.valid) || (agent.ready && !read(agent.ready))) return;
    agent.done++;
    agent.offered = false;
    agent.when.push_back(clock);
    if (agent.role == SOURCE) return;
    for (auto *column : agent.columns) agent.data.push_back(read(column));
}

// Between edges, with everything that follows from inputs and state.
void settle(Simulation &simulation) {
    write(simulation.clock, 0);
    cxxrtl_step(simulation.handle);
}

// One clock. A flattened design without combinational loops settles in one evaluation, so the one
// at the rising edge shows what streams and probes see just before it, and finds the next state.
bool clock(Simulation &simulation) {
    bool finished = true;
    for (auto *agent : simulation.agents) drive(*agent);
    write(simulation.clock, 1);
    if (!cxxrtl_eval(simulation.handle)) {
        fprintf(stderr, "the design has a combinational loop\n");
        abort();
    }
    for (auto *agent : simulation.agents) {
        sample(*agent, simulation.clocks);
        finished &= agent->finished();
    }
    // The falling edge changes no state but what the next rising edge is found by.
    auto &design = static_cast<cxxrtl_design::p_top &>(*simulation.handle->module);
    design.commit();
    write(simulation.clock, 0);
    design.prev_p_clk = cxxrtl::value<1>{0u};
    simulation.clocks++;
    return finished;
}

}  // namespace

extern "C" {

Simulation *loam_create() {
    auto *simulation = new Simulation;
    simulation->handle = cxxrtl_create(cxxrtl_design_create());
    simulation->clock = cxxrtl_get(simulation->handle, "clk");
    settle(*simulation);
    return simulation;
}

void loam_destroy(Simulation *simulation) {
    for (auto *agent : simulation->agents) delete agent;
    cxxrtl_destroy(simulation->handle);
    delete simulation;
}

void loam_names(Simulation *simulation,
                void (*each)(void *, const char *, cxxrtl_object *, size_t)) {
    cxxrtl_enum(simulation->handle, nullptr, each);
}

uint64_t loam_read(cxxrtl_object *object) { return read(object); }

void loam_write(cxxrtl_object *object, uint64_t value) { write(object, value); }

void loam_settle(Simulation *simulation) { settle(*simulation); }

uint64_t loam_clocks(Simulation *simulation) { return simulation->clocks; }

Agent *loam_agent(Simulation *simulation, int role, cxxrtl_object **columns, size_t count,
                  cxxrtl_object *valid, cxxrtl_object *ready, const uint64_t *data,
                  uint64_t wanted, uint32_t stall, uint32_t seed) {
    auto *agent = new Agent{Role(role), {columns, columns + count}, valid, ready, wanted};
    agent->stall = stall;
    agent->random = seed;
    if (data) agent->data.assign(data, data + wanted);
    simulation->agents.push_back(agent);
    return agent;
}

void loam_retire(Simulation *simulation, Agent *agent) {
    auto &agents = simulation->agents;
    agents.erase(std::remove(agents.begin(), agents.end(), agent), agents.end());
    if (agent->role == SOURCE) write(agent->valid, 0);
    if (agent->role == SINK) write(agent->ready, 0);
    delete agent;
}

const uint64_t *loam_data(Agent *agent) { return agent->data.data(); }
const uint64_t *loam_when(Agent *agent) { return agent->when.data(); }
uint64_t loam_done(Agent *agent) { return agent->done; }

// Runs until every source and sink has finished and `until`, if given, is 1; or for `limit` clocks.
// Returns whether that was reached.
int loam_run(Simulation *simulation, uint64_t limit, cxxrtl_object *until) {
    bool reached = false;
    for (uint64_t n = 0; n < limit && !reached; n++)
        reached = clock(*simulation) && (!until || (settle(*simulation), read(until)));
    for (auto *agent : simulation->agents) drive(*agent);
    settle(*simulation);
    return reached;
}

void loam_step(Simulation *simulation, uint64_t count) {
    for (uint64_t n = 0; n < count; n++) clock(*simulation);
    settle(*simulation);
}

}
