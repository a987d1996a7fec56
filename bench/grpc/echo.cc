// An echo on gRPC, built as gRPC's documentation recommends for speed: a server with the callback
// API, and a client that keeps a fixed number of calls in flight on a completion queue.
//
// `grpc-echo server` listens on a free port, prints its URL and serves until it is killed.
// `grpc-echo client URL IN_FLIGHT SECONDS` prints the result as JSON.
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "echo.grpc.pb.h"

namespace
{

using weir::bench::Echo;
using weir::bench::Empty;
using weir::bench::Info;
using Clock = std::chrono::steady_clock;

class EchoService final : public Echo::CallbackService
{
    grpc::ServerUnaryReactor *Get(grpc::CallbackServerContext *context, const Empty *,
                                  Info *info) override
    {
        info->set_server_version("0.1.0");
        info->set_protocol_version(1);
        info->set_compatible("1.3.0");
        info->set_backend("sqlite");
        info->set_schema_version(1);
        auto *reactor = context->DefaultReactor();
        reactor->Finish(grpc::Status::OK);
        return reactor;
    }
};

int serve()
{
    EchoService service;
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service);
    const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    if (!server) {
        std::fputs("grpc-echo: the server does not start\n", stderr);
        return EXIT_FAILURE;
    }
    std::printf("listening on 127.0.0.1:%d\n", port);
    std::fflush(stdout);
    server->Wait();
    return EXIT_SUCCESS;
}

struct Call {
    grpc::ClientContext context;
    grpc::Status status;
    Info info;
    std::unique_ptr<grpc::ClientAsyncResponseReader<Info>> reader;
    Clock::time_point began;
};

void start(Echo::Stub &stub, grpc::CompletionQueue &queue)
{
    auto *call = new Call;
    call->began = Clock::now();
    call->reader = stub.AsyncGet(&call->context, Empty(), &queue);
    call->reader->Finish(&call->info, &call->status, call);
}

double percentile(const std::vector<double> &sorted, double percent)
{
    /* The rank of bench/lib/histogram.c, so that both mean the same. */
    const double exact = percent / 100 * static_cast<double>(sorted.size()) * (1 - 1e-14);
    const auto rank = static_cast<std::size_t>(std::ceil(exact));
    return sorted[std::min(rank, sorted.size()) - 1];
}

void report(std::vector<double> &us, double seconds)
{
    std::sort(us.begin(), us.end());
    double sum = 0;
    for (const double one : us) {
        sum += one;
    }
    const double n = static_cast<double>(us.size());
    std::printf("{\"operations\":%.0f,\"operations_per_s\":%.1f,\"messages_per_s\":0,\"latency_"
                "us\":{\"mean\":%.1f,"
                "\"p50\":%.1f,\"p99\":%.1f,\"p99.9\":%.1f,\"max\":%.1f}}\n",
                n, n / seconds, sum / n, percentile(us, 50), percentile(us, 99),
                percentile(us, 99.9), us.back());
}

int run(const std::string &url, int in_flight, double seconds)
{
    const auto stub = Echo::NewStub(grpc::CreateChannel(url, grpc::InsecureChannelCredentials()));
    grpc::CompletionQueue queue;
    std::vector<double> us;
    const auto warm = Clock::now() + std::chrono::milliseconds(300);
    const auto end =
        warm + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    int left = in_flight;
    for (int i = 0; i < in_flight; i++) {
        start(*stub, queue);
    }
    void *tag = nullptr;
    bool ok = false;
    while (left > 0 && queue.Next(&tag, &ok)) {
        const std::unique_ptr<Call> call(static_cast<Call *>(tag));
        if (!ok || !call->status.ok() || call->info.backend() != "sqlite") {
            std::fprintf(stderr, "grpc-echo: a call failed: %s\n",
                         call->status.error_message().c_str());
            return EXIT_FAILURE;
        }
        const auto now = Clock::now();
        if (now >= warm && now < end) {
            us.push_back(std::chrono::duration<double, std::micro>(now - call->began).count());
        }
        if (now < end) {
            start(*stub, queue);
        } else {
            left--;
        }
    }
    if (us.empty()) {
        return EXIT_FAILURE;
    }
    report(us, seconds);
    return EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char **argv)
{
    if (argc == 2 && std::strcmp(argv[1], "server") == 0) {
        return serve();
    }
    if (argc == 5 && std::strcmp(argv[1], "client") == 0) {
        return run(argv[2], std::atoi(argv[3]), std::atof(argv[4]));
    }
    std::fputs("usage: grpc-echo server | client URL IN_FLIGHT SECONDS\n", stderr);
    return 2;
}
