"""The API over gRPC: ``answerdesk.proto`` describes it, ``server.serving`` serves it.  Needs the extra ``[grpc]``."""
