module {{ service_name }}

go 1.22
