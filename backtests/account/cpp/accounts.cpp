// The accounts of N variants over T bars: the fast twin of fast_book.py and fast_rules.py, equal to them to the last bit.
//
// Every sum and product stands in the order of its Python twin, and must be compiled without fused multiply-adds. Tables
// are (T, C) row by row; a table of one column serves every variant. Variants are traded sixteen to a group, so that the
// rows they read and write are neighbours; groups are shared out among threads.

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <thread>
#include <vector>

#if defined(_WIN32)
#define EXPORTED extern "C" __declspec(dllexport)
#else
#define EXPORTED extern "C" __attribute__((visibility("default")))
#endif

namespace {

constexpr double NOTHING = std::numeric_limits<double>::quiet_NaN();
constexpr double SHAVE = 1 - 1e-9;  // strategies/sizing.py
constexpr int LANES = 16;

struct Table {
    const double* values;
    long columns;

    double at(long t, long k) const { return values[t * columns + (columns == 1 ? 0 : k)]; }
};

enum Kind { GIVEN, BAND, PROPORTIONAL };

}  // namespace

// As compiled.py has them.
struct Market {
    long bars;
    Table open, close, worth;
    const double* years;   // since the bar before, (T,)
    const double* dividend;  // (T,), null without actions
    const double* split;
};

struct Rule {
    int kind;
    Table forecast;  // or the weights, of GIVEN
    // of each variant, (N,): of BAND a = the band, b = the weight above it, c = below it; of PROPORTIONAL
    // a = the step of the averages, b = the volatility aimed at, c and d = the least and the greatest weight
    const double *a, *b, *c, *d;
};

struct Accounts {
    long count;
    // each (N,); first: the bar from which cash earns interest
    const double *cash, *commission, *slippage, *rate, *borrow, *interest, *fractional, *tolerance, *first;
};

struct Outcome {
    double *equity, *cash, *units;  // (T, N), null where they are not kept
    double *orders, *traded, *commission, *slippage, *too_small, *ruined;  // (N,)
};

// The window that is scored, null where none is; the moments are those of `moments.Moments`.
struct Window {
    long first;
    const double* cash;  // what cash earned per bar of the window, (n,)
    double* returns;     // (n, N), null where they are not kept
    double *growth, *mean, *second, *third, *fourth, *over, *over_second, *below, *drawdown, *equity, *held;  // (N,)
};

namespace {

// The weight decided at each close; NaN where there is none.
struct Decision {
    const Rule& rule;
    const Market& market;
    long k;
    double a, b, c, d;
    double variance = NOTHING, strength = NOTHING;

    Decision(const Rule& rule, const Market& market, long k) : rule(rule), market(market), k(k) {
        if (rule.kind == GIVEN) return;
        a = rule.a[k], b = rule.b[k], c = rule.c[k];
        if (rule.kind == PROPORTIONAL) d = rule.d[k];
    }

    double at(long t) {
        double forecast = rule.forecast.at(t, k);
        if (rule.kind == GIVEN) return forecast;
        if (rule.kind == BAND) return forecast > a ? b : forecast < -a ? c : NOTHING;
        return proportional(t, forecast);
    }

    double proportional(long t, double forecast) {
        if (t) {
            double change = std::log(market.worth.at(t, k) / market.close.at(t - 1, k));
            variance = averaged(variance, change * change);
        }
        double spread = t == 0 || variance == 0 ? NOTHING : variance;
        double z = forecast / std::sqrt(spread);
        strength = averaged(strength, z * z);
        if (std::isnan(z)) return NOTHING;
        double weight = strength == 0 ? 0.0 : b / std::sqrt(strength) * forecast / spread;
        if (std::isnan(weight)) return weight;
        weight = weight < d ? weight : d;
        return weight > c ? weight : c;
    }

    double averaged(double average, double value) const {
        double moved = average + a * (value - average);
        if (!std::isnan(moved)) return moved;
        return std::isnan(average) ? value : average;
    }
};

// One account from bar to bar.
struct Book {
    const Accounts& all;
    long k;
    double cash, commission, slippage, rate, borrow, interest, tolerance;
    bool fractional;
    double units = 0, paid = 0, target = NOTHING;
    double orders = 0, traded = 0, charged = 0, slipped = 0, too_small = 0;

    Book(const Accounts& all, long k)
        : all(all), k(k), cash(all.cash[k]), commission(all.commission[k]), slippage(all.slippage[k]),
          rate(all.rate[k]), borrow(all.borrow[k]), interest(all.interest[k]), tolerance(all.tolerance[k]),
          fractional(all.fractional[k] != 0) {}

    // Borrow cost and interest since the last close.
    void accrue(long t, double years, double close) {
        double value = -units * close;
        double sold = value > 0 ? value : 0.0;
        cash -= borrow * years * sold;
        double rest = cash - sold;
        if (double(t - 1) >= all.first[k]) cash += interest * years * (rest > 0 ? rest : 0.0);
    }

    void act(double dividend, double split, double price) {
        double exact = units * split;
        double kept = fractional ? exact : std::trunc(exact + std::copysign(1e-9, exact));
        cash += units * dividend;
        cash += (exact - kept) * price;
        units = kept;
        paid = paid / split;
    }

    // Trades to the target at the open; false where the account is wiped out.
    bool open(double price) {
        double value = units * price, equity = cash + value;
        if (equity - rate * std::abs(value) <= 0) return false;
        if (std::abs(target - value / equity) > (target != 0 ? tolerance : 0.0)) order(price, value, equity);
        return true;
    }

    void order(double price, double value, double equity) {
        double side = 2.0 * (target * equity >= value) - 1.0;
        double left = (equity + rate * (side * value)) / (1.0 + rate * (side * target));
        double wanted = target * left / price * SHAVE, held = units;
        double size = (fractional ? wanted : std::trunc(wanted)) - held;
        double fill = price * (size > 0 ? 1 + slippage : 1 - slippage);
        double low = -held < 0 ? -held : 0.0, high = -held > 0 ? -held : 0.0;
        double closed = size < low ? low : size > high ? high : size;  // what gives up units held
        double opened = size - closed;
        double rest = cash + (-closed * paid + -closed * (fill - paid));
        rest -= std::abs(closed) * commission * fill;
        rest -= opened * fill;
        cash = rest - std::abs(opened) * commission * fill;
        units = held + (closed + opened);
        if (opened != 0) paid = closed == 0 && held != 0 ? (paid * held + size * fill) / (held + size) : fill;
        double worth = std::abs(size) * fill;
        orders += size != 0;
        traded += worth;
        charged += worth * commission;
        slipped += std::abs(size) * std::abs(fill - price);
        too_small += size == 0 && held == 0;
    }

    // Equity at the close: backtrader adds a long position's gain to what was paid for it.
    double close(double price) const {
        double value = units * price, gain = units * (price - paid);
        return cash + (value > 0 ? (value - gain) + gain : value);
    }
};

// The sum of n terms from `start` on, in the order of numpy's pairwise summation along a row.
template <class Term>
double sum(const Term& term, long start, long n) {
    if (n > 128) {
        long half = n / 2;
        half -= half % 8;
        return sum(term, start, half) + sum(term, start + half, n - half);
    }
    double total = 0;
    long i = 0;
    if (n >= 8) {
        double part[8];
        for (int k = 0; k < 8; ++k) part[k] = term(start + k);
        for (i = 8; i < n - n % 8; i += 8)
            for (int k = 0; k < 8; ++k) part[k] += term(start + i + k);
        total = ((part[0] + part[1]) + (part[2] + part[3])) + ((part[4] + part[5]) + (part[6] + part[7]));
    }
    for (; i < n; ++i) total += term(start + i);
    return total;
}

// The returns of one account in the window, and their moments.
struct Scores {
    const Window& window;
    std::vector<double> equity;
    long held = 0;

    Scores(const Window& window, long bars) : window(window), equity(bars - window.first) {}

    // At a close of the window; the equity is NaN from the bar on at which the account was wiped out.
    void add(long i, double now, double units) {
        equity[i] = now;
        held += !std::isnan(now) && units != 0;
    }

    void write(long k, long count) const {
        long n = long(equity.size()), alive = n;
        std::vector<double> returns(n, 0.0), beyond(n), worth(equity);
        for (long i = 1; i < n; ++i) returns[i] = equity[i] / equity[i - 1] - 1;
        if (std::isnan(equity[n - 1])) {
            while (alive && std::isnan(equity[alive - 1])) --alive;
            for (long i = alive; i < n; ++i) returns[i] = worth[i] = 0.0;
            returns[alive] = -1.0;
        }
        double growth = 1, peak = 1, drawdown = std::numeric_limits<double>::infinity();
        for (long i = 0; i < n; ++i) {
            growth = growth * (1 + returns[i]);
            peak = std::max(peak, growth);
            drawdown = std::min(drawdown, growth / peak - 1);
            double rest = returns[i] - window.cash[i];  // what cash did not earn; see scores.over_cash
            beyond[i] = std::abs(rest) > 1e-14 ? rest : 0.0;
            if (window.returns) window.returns[i * count + k] = returns[i];
        }
        const double *r = returns.data(), *x = beyond.data();
        double mean = sum([r](long i) { return r[i]; }, 0, n) / double(n);
        double over = sum([x](long i) { return x[i]; }, 0, n) / double(n);
        auto square = [r, mean](long i) { return (r[i] - mean) * (r[i] - mean); };
        window.growth[k] = growth, window.drawdown[k] = drawdown, window.mean[k] = mean, window.over[k] = over;
        window.second[k] = sum(square, 0, n);
        window.third[k] = sum([&](long i) { return square(i) * (r[i] - mean); }, 0, n);
        window.fourth[k] = sum([&](long i) { return square(i) * square(i); }, 0, n);
        window.over_second[k] = sum([x, over](long i) { return (x[i] - over) * (x[i] - over); }, 0, n);
        window.below[k] = sum([x](long i) { return x[i] < 0 ? x[i] * x[i] : 0.0; }, 0, n);
        window.equity[k] = sum([&](long i) { return worth[i]; }, 0, n) / double(alive);
        window.held[k] = double(held);
    }
};

void trade(const Market& market, const Rule& rule, const Accounts& all, const Outcome& out, const Window* window,
           long first, int lanes) {
    std::vector<Decision> decisions;
    std::vector<Scores> scores;
    std::vector<Book> books;
    bool alive[LANES];
    for (int lane = 0; lane < lanes; ++lane) {
        decisions.emplace_back(rule, market, first + lane);
        books.emplace_back(all, first + lane);
        if (window) scores.emplace_back(*window, market.bars);
        alive[lane] = true;
    }
    for (long t = 0; t < market.bars; ++t) {
        for (int lane = 0; lane < lanes; ++lane) {
            Book& book = books[lane];
            long k = first + lane, cell = t * all.count + k;
            double price = market.open.at(t, k), equity = NOTHING;
            if (alive[lane]) {
                if (t && (book.borrow != 0 || book.interest != 0))
                    book.accrue(t, market.years[t], market.close.at(t - 1, k));
                if (market.dividend && (market.dividend[t] != 0 || market.split[t] != 1))
                    book.act(market.dividend[t], market.split[t], price);
                alive[lane] = book.open(price);
            }
            if (alive[lane]) {
                equity = book.close(market.close.at(t, k));
                alive[lane] = equity > 0;
            }
            if (!alive[lane]) equity = NOTHING;
            if (out.equity) {
                out.equity[cell] = equity;
                out.cash[cell] = alive[lane] ? book.cash : NOTHING;
                out.units[cell] = alive[lane] ? book.units : NOTHING;
            }
            if (window && t >= window->first) scores[lane].add(t - window->first, equity, book.units);
            if (!alive[lane]) continue;
            double decision = decisions[lane].at(t);
            if (!std::isnan(decision)) book.target = decision;
        }
    }
    for (int lane = 0; lane < lanes; ++lane) {
        const Book& book = books[lane];
        out.orders[book.k] = book.orders, out.traded[book.k] = book.traded, out.commission[book.k] = book.charged;
        out.slippage[book.k] = book.slipped, out.too_small[book.k] = book.too_small, out.ruined[book.k] = !alive[lane];
        if (window) scores[lane].write(book.k, all.count);
    }
}

}  // namespace

EXPORTED void rollcast_accounts(
    const Market* market, const Rule* rule, const Accounts* all, const Outcome* out, const Window* window, int threads) {
    std::atomic<long> next{0};
    auto work = [&] {
        for (long first; (first = next.fetch_add(LANES)) < all->count;)
            trade(*market, *rule, *all, *out, window, first, int(std::min<long>(LANES, all->count - first)));
    };
    std::vector<std::thread> others;
    for (int i = 1; i < threads; ++i) others.emplace_back(work);
    work();
    for (auto& one : others) one.join();
}
