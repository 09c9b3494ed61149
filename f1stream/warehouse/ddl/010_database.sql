create database if not exists $database;
use database $database;
create schema if not exists RAW;
create schema if not exists OPS;
