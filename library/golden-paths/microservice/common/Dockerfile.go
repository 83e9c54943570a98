FROM golang:1.22 AS build
WORKDIR /src
COPY . .
RUN CGO_ENABLED=0 go build -o /{{ service_name }} .

FROM scratch
COPY --from=build /{{ service_name }} /{{ service_name }}
USER 65534
ENTRYPOINT ["/{{ service_name }}"]
